"""Data sets written again in another plain syntax: nothing of their content changes, and other readers agree."""

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset

from native.canonical import canonical, canonical_head, read_meta
from native.dataset import Malformed, describe
from native.reencode import PIXELS, SPAN_BYTES_MIN, Reencoder
from tests.native.real_files import REFUSED, files

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG = "1.2.840.10008.1.2.2"
PLAIN = (IMPLICIT, EXPLICIT, BIG)
DCMCONV = {IMPLICIT: "+ti", EXPLICIT: "+te", BIG: "+tb"}


def joined(dataset: bytes, source: str, target: str) -> bytes:
    """The new data set in one piece, by the slow way of copying its spans."""
    reencoder = Reencoder(dataset, source, target)
    parts = []
    for piece in reencoder:
        if isinstance(piece, bytes):
            parts.append(piece)
            continue
        offset, length, word = piece
        value = dataset[offset : offset + length]
        whole = length - length % word
        turned = b"".join(value[at : at + word][::-1] for at in range(0, whole, word)) if word > 1 else value[:whole]
        parts.append(turned + value[whole:])
    result = b"".join(parts)
    assert len(result) == reencoder.length
    return result


def plain_files() -> Iterator[Path]:
    for path in files():
        if path.name not in REFUSED and read_meta(path.read_bytes())[0] in PLAIN:
            yield path


PLAIN_FILES = list(plain_files())


def file_of(dataset: bytes, like: bytes, syntax: str) -> bytes:
    found = describe(like)
    return canonical_head(found.sop_class_uid, found.sop_instance_uid, syntax) + dataset


@pytest.mark.parametrize("target", PLAIN)
@pytest.mark.parametrize("path", PLAIN_FILES, ids=lambda path: path.name)
def test_content_is_the_same(path: Path, target: str) -> None:
    """The digest counts neither byte order nor representations; and the way back gives the same again."""
    head, offset, _ = canonical(path.read_bytes())
    source, _ = read_meta(head)
    dataset = path.read_bytes()[offset:]
    there = joined(dataset, source, target)
    file = file_of(there, head + dataset, target)
    assert describe(file).content_digest == describe(head + dataset).content_digest
    back = joined(there, target, EXPLICIT)
    assert describe(file_of(back, file, EXPLICIT)).content_digest == describe(file).content_digest
    assert joined(back, EXPLICIT, target) == there


def read(file: bytes) -> FileDataset:
    return pydicom.dcmread(io.BytesIO(file), force=True)


WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def little(element: DataElement, is_little: bool) -> object:
    """pydicom leaves the words of binary values in the file's byte order."""
    word = WORDS.get(element.VR, 1)
    if is_little or word == 1 or not element.value:
        return element.value
    return b"".join(element.value[at : at + word][::-1] for at in range(0, len(element.value), word))


def assert_equal(ours: Dataset, theirs: Dataset, way: str = "", big: tuple[bool, bool] = (False, False)) -> None:
    """Element by element, group lengths apart; what one of them does not know (UN) by its tag alone."""
    mine = {element.tag: element for element in ours if element.tag.element}
    other = {element.tag: element for element in theirs if element.tag.element}
    assert mine.keys() == other.keys(), way
    for tag, element in mine.items():
        if "UN" in (element.VR, other[tag].VR):
            continue
        if element.VR == "SQ":
            assert len(element.value) == len(other[tag].value), f"{way}{tag}"
            for one, two in zip(element.value, other[tag].value, strict=True):
                assert_equal(one, two, f"{way}{tag}.", big)
        else:
            assert little(element, not big[0]) == little(other[tag], not big[1]), f"{way}{tag}"


@pytest.mark.parametrize("target", PLAIN)
@pytest.mark.parametrize("path", PLAIN_FILES, ids=lambda path: path.name)
def test_pydicom_reads_the_same_values(path: Path, target: str) -> None:
    head, offset, _ = canonical(path.read_bytes())
    source, _ = read_meta(head)
    dataset = path.read_bytes()[offset:]
    theirs = read(head + dataset)
    ours = read(file_of(joined(dataset, source, target), head + dataset, target))
    assert_equal(ours, theirs, big=(target == BIG, source == BIG))


@pytest.mark.skipif(shutil.which("dcmconv") is None, reason="dcmconv is not installed: apt-get install dcmtk")
def test_dcmtk_writes_the_same(tmp_path: Path) -> None:
    """DCMTK's converter and ours give the same data set, once DCMTK has normalised both (its lengths, its order)."""
    compared = 0
    for number, path in enumerate(PLAIN_FILES):
        target = PLAIN[number % 3]
        head, offset, _ = canonical(path.read_bytes())
        source, _ = read_meta(head)
        dataset = path.read_bytes()[offset:]
        (tmp_path / "source").write_bytes(head + dataset)
        (tmp_path / "ours").write_bytes(file_of(joined(dataset, source, target), head + dataset, target))
        sets = []
        for name in ("source", "ours"):
            command = ["dcmconv", DCMCONV[target], "-g", "-e", str(tmp_path / name), str(tmp_path / "out")]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                _, at = read_meta(out := (tmp_path / "out").read_bytes())
                sets.append(out[at:])
        if len(sets) == 2:
            compared += 1
            assert sets[0] == sets[1], path.name
    assert compared >= len(PLAIN_FILES) * 0.8


def explicit(tag: int, vr: str, value: bytes) -> bytes:
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr.encode()
    if vr in ("OB", "OW", "SQ", "UN"):
        return head + b"\0\0" + len(value).to_bytes(4, "little") + value
    return head + len(value).to_bytes(2, "little") + value


ROWS = explicit(0x00280010, "US", b"\x02\x01")
LARGE = explicit(0x7FE00010, "OW", bytes(range(256)) * (SPAN_BYTES_MIN // 256))


def test_large_values_are_named_not_copied() -> None:
    pieces = list(Reencoder(ROWS + LARGE + explicit(0xFFFCFFFC, "OB", b"\0\0"), EXPLICIT, BIG))
    assert [piece if isinstance(piece, tuple) else len(piece) for piece in pieces] == [
        10 + 12,
        (10 + 12, SPAN_BYTES_MIN, 2),
        14,
    ]


def test_edits_stand_in_order_and_a_hole_for_the_pixels() -> None:
    dataset = explicit(0x00080005, "CS", b"AB") + ROWS + LARGE + explicit(0xFFFCFFFC, "OB", b"\0\0")
    new = {0x00280004: b"<0004>", 0x00280010: None, 0x7FE00001: b"<table>", 0xFFFCFFFD: b"<end>"}
    pieces = list(Reencoder(dataset, EXPLICIT, EXPLICIT, new, True))
    assert pieces == [
        explicit(0x00080005, "CS", b"AB") + b"<0004><table>",
        PIXELS,
        explicit(0xFFFCFFFC, "OB", b"\0\0") + b"<end>",
    ]


def test_a_sequence_is_taken_out_whole() -> None:
    item = b"\xfe\xff\x00\xe0" + len(ROWS).to_bytes(4, "little") + ROWS
    dataset = explicit(0x00880200, "SQ", item * 2) + ROWS
    assert list(Reencoder(dataset, EXPLICIT, IMPLICIT, {0x00880200: None})) == [b"\x28\0\x10\0\x02\0\0\0\x02\x01"]


def test_a_value_too_long_for_its_representation_becomes_unknown() -> None:
    """PS3.5 6.2.2: and what is unknown is little endian, also in a big endian data set."""
    implicit = b"\x28\x00\x06\x30" + (70000).to_bytes(4, "little") + b"\x01\x02" * 35000  # LUT Data is OW: stays
    implicit = b"\x08\x00\x15\x21" + (70000).to_bytes(4, "little") + b"a" * 70000  # a DA that is none
    assert joined(b"\x28\0\x10\0\x02\0\0\0\x02\x01" + implicit, IMPLICIT, BIG)[:10] == b"\0\x28\0\x10US\0\x02\x01\x02"
    pieces = list(Reencoder(b"\x00\x40\x00\x00" + (0).to_bytes(4, "little"), IMPLICIT, EXPLICIT))
    assert pieces == []  # a group length


@pytest.mark.parametrize("source", PLAIN)
def test_every_cut_is_refused_or_sound(source: str) -> None:
    dataset = joined(
        explicit(0x00081115, "SQ", b"\xfe\xff\x00\xe0\x0a\0\0\0" + ROWS) + ROWS + explicit(0x00281052, "DS", b"1 "),
        EXPLICIT,
        source,
    )
    sound = 0
    for cut in range(len(dataset)):
        try:
            joined(dataset[:cut], source, EXPLICIT)
            sound += 1
        except Malformed:
            pass
    assert sound == 3  # nothing, the sequence, the sequence and Rows


def test_garbage_is_refused_or_sound() -> None:
    rows = (
        explicit(0x00081115, "SQ", b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + ROWS + b"\xfe\xff\x0d\xe0\0\0\0\0") + ROWS
    ) * 4
    for at in range(len(rows)):
        for change in (0x01, 0x40, 0xFF):
            bent = bytearray(rows)
            bent[at] ^= change
            for target in PLAIN:
                try:
                    joined(bytes(bent), EXPLICIT, target)
                except Malformed:
                    continue
