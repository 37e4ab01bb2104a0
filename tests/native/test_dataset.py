"""The walk against pydicom: real files, every cut, garbage, hostile lengths, and content that was written anew."""

import random
import shutil
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path
from struct import pack

import pydicom
import pytest
from pydicom.dataelem import DataElement

from bench.data import Shape, study_files
from native import dataset
from tests.native.real_files import REFUSED, files

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
SEQUENCE_DEPTH_MAX = 64
ROOT = Path(__file__).parents[2]
DCMCONV = shutil.which("dcmconv")

UIDS = b"".join(
    dataset.element(tag, "UI", value)
    for tag, value in ((0x00080016, b"1.2.3"), (0x00080018, b"1.2.4"), (0x0020000D, b"1.2.5"), (0x0020000E, b"1.2.6"))
)


def described(data: bytes) -> dataset.Description:
    head, offset, _ = dataset.canonical(data)
    return dataset.describe(head + data[offset:])


def generated() -> bytes:
    return next(study_files(Shape(series=1, instances=1, rows=16, seed=3), 0)).data


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_a_real_file_is_kept_as_it_is_or_refused_by_name(path: Path) -> None:
    data = path.read_bytes()
    if path.name in REFUSED:
        with pytest.raises(dataset.Malformed, match=REFUSED[path.name].split("(")[0]):
            dataset.canonical(data)
        return
    head, offset, preamble = dataset.canonical(data)
    found = dataset.describe(head + data[offset:])
    assert found.dataset_offset == len(head)
    assert preamble == b"" or preamble[:2] in (b"II", b"MM")
    expected = pydicom.dcmread(BytesIO(data), force=True)
    meta = pydicom.dcmread(BytesIO(head + data[offset:])).file_meta
    assert meta.MediaStorageSOPInstanceUID == found.sop_instance_uid == expected.SOPInstanceUID
    assert meta.FileMetaInformationGroupLength == len(head) - 144
    header = pydicom.dcmread(BytesIO(dataset.canonical_head("1.2", "1.3", EXPLICIT) + found.header))
    assert [element.tag for element in header] == sorted(element.tag for element in header)
    for element in expected:
        if is_kept(element, found.not_indexed):
            assert same(element, header[element.tag]), element.tag


def is_kept(element: DataElement, not_indexed: tuple[str, ...]) -> bool:
    name = f"{element.tag:08X}"
    left_out = any(path.startswith(name) for path in not_indexed)
    return element.tag.element != 0 and element.tag.group != 0x7FE0 and element.tag != 0xFFFCFFFC and not left_out


def same(one: DataElement, other: DataElement) -> bool:
    empty = (None, "", b"")
    return str(one.value) == str(other.value) or (one.value in empty and other.value in empty)


def test_every_cut_is_refused_or_read_to_its_end() -> None:
    data = generated()
    whole = described(data)
    head, offset, _ = dataset.canonical(data)
    body = data[offset:]
    sound = 0
    for cut in range(len(body)):
        try:
            found = dataset.describe(head + body[:cut])
        except dataset.Malformed:
            continue
        sound += 1
        assert found.content_digest != whole.content_digest
    assert 0 < sound < 60


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_garbage_and_mutations_never_pass_the_end(syntax: str) -> None:
    chance = random.Random(syntax)
    data = generated()
    for _ in range(3000):
        mutated = bytearray(data[400:3000])
        for _ in range(chance.randrange(1, 6)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        for body in (bytes(mutated), chance.randbytes(chance.randrange(200))):
            try:
                dataset.check(body, syntax)
            except dataset.Malformed as error:
                assert error.code in dataset.REASONS


def nested(depth: int) -> bytes:
    return (
        pack("<HH", 0x0040, 0x0275) + b"SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
    ) * depth + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * depth


def test_h24_depth_has_a_limit_and_no_recursion() -> None:
    assert dataset.check(UIDS + nested(SEQUENCE_DEPTH_MAX), EXPLICIT)[0] == "1.2.3"
    for depth in (SEQUENCE_DEPTH_MAX + 1, 20_000):
        with pytest.raises(dataset.Malformed, match="nested deeper"):
            dataset.check(UIDS + nested(depth), EXPLICIT)


def test_h25_a_million_empty_items_are_walked_or_refused() -> None:
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 1_000_000
    data = UIDS + pack("<HH", 0x0040, 0x0275) + b"SQ\0\0" + pack("<I", len(items)) + items
    assert dataset.check(data, EXPLICIT)[3] == "1.2.6"


DEFLATED_SYNTAXES = [DEFLATED, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"]


def deflated(zeros_mib: int) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = compressor.compress(UIDS + pack("<HH", 0x7FE0, 0x0010) + b"OB\0\0" + pack("<I", zeros_mib << 20))
    for _ in range(zeros_mib):
        whole += compressor.compress(bytes(1 << 20))
    return whole + compressor.flush()


@pytest.mark.parametrize("syntax", DEFLATED_SYNTAXES)
def test_h26_a_deflated_bomb_stops_at_the_ceiling(syntax: str) -> None:
    bomb = deflated(1024)
    with pytest.raises(dataset.Malformed, match="beyond the limit"):
        dataset.check(bomb, syntax)
    assert dataset.check(deflated(4), syntax)[1] == "1.2.4"


def test_h26_many_bombs_at_once_hold_no_more_than_one() -> None:
    """All threads share one ceiling; a process of its own, so that its peak is that of the bombs."""
    bombs = f"""
import threading, resource
from native import dataset
bomb = open(0, "rb").read()
def check():
    try:
        dataset.check(bomb, "{DEFLATED}")
    except dataset.Malformed:
        refused.append(True)
refused = []
dataset.check({deflated(1)!r}, "{DEFLATED}")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
threads = [threading.Thread(target=check) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(refused), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    told = subprocess.run([sys.executable, "-c", bombs], input=deflated(512), capture_output=True, check=True, cwd=ROOT)
    refused, grown_mib = map(int, told.stdout.split())
    assert refused == 12 and grown_mib < 160


def test_ge_private_syntax_is_walked_as_implicit_little_endian() -> None:
    data = dataset.project(UIDS, [0x00080016, 0x00080018, 0x0020000D, 0x0020000E], implicit=True)
    pixels = pack("<HHI", 0x7FE0, 0x0010, 4) + b"\0\1\0\2"
    assert dataset.check(data + pixels, "1.2.840.113619.5.2")[1] == "1.2.4"


@pytest.mark.parametrize("uid", [b"../../x", b"1.2..3", b"1." + b"2" * 64, b"1.a", b"1.2\n", b".1", b"1.", b"1.\x002"])
def test_h28_h29_what_is_no_uid_is_refused(uid: bytes) -> None:
    data = UIDS[:18] + dataset.element(0x00080018, "UI", uid) + UIDS[-28:]
    with pytest.raises(dataset.Malformed):
        dataset.check(data, EXPLICIT)


def test_h31_h32_lengths_past_the_end_are_refused() -> None:
    for tail in (
        pack("<HH", 0x0040, 0x0001) + b"OB\0\0" + pack("<I", 0xFFFFFFF0),
        pack("<HH", 0x0040, 0x0001) + b"ZZ" + pack("<H", 9),
        pack("<HH", 0x0040, 0x0001) + b"UT\0\0" + b"\xff" * 4,
    ):
        with pytest.raises(dataset.Malformed):
            dataset.check(UIDS + tail + bytes(4), EXPLICIT)
    with pytest.raises(dataset.Malformed, match="file meta"):
        dataset.canonical(bytes(128) + b"DICM" + pack("<HH", 2, 2) + b"OB\0\0" + pack("<I", 1 << 31) + UIDS)


def test_h30_only_a_tiff_preamble_is_kept() -> None:
    data = generated()
    assert dataset.canonical(b"II*\0" + bytes(124) + data[128:])[2][:4] == b"II*\0"
    for evil in (b"MZ\x90\0", b"\x7fELF", b"#!/b"):
        assert dataset.canonical(evil + bytes(124) + data[128:])[2] == b""


def test_h40_order_and_duplicates_are_kept_and_the_first_wins_in_the_header() -> None:
    body = (
        dataset.element(0x00100020, "LO", b"first")
        + dataset.element(0x00080060, "CS", b"CT")
        + dataset.element(0x00100020, "LO", b"second")
    )
    found = dataset.describe(dataset.canonical_head("1.2.3", "1.2.4", EXPLICIT) + body + UIDS)
    assert dataset.get(found.header, "00100020") == b"first "
    assert [path for path, *_ in dataset.walk(found.header, EXPLICIT)] == sorted(
        ["00100020", "00080060", "00080016", "00080018", "0020000D", "0020000E"]
    )


def test_large_values_and_pixels_are_left_out_and_named() -> None:
    body = dataset.element(0x00204000, "LT", b"x" * 1026) + dataset.element(0x00080060, "CS", b"CT")
    found = dataset.describe(dataset.canonical_head("1.2.3", "1.2.4", EXPLICIT) + UIDS + body)
    assert found.not_indexed == ("00204000",)
    assert dataset.get(found.header, "00080060") == b"CT"


def test_a_sequence_that_no_header_holds_takes_no_memory_of_its_size() -> None:
    """Walked to its end, named, and forgotten: else 64 GB of it would end the process (fact 8)."""
    item = b"".join(dataset.element(0x00091000 + number, "LO", b"x" * 1000) for number in range(0x11, 0xFF)) * 400
    body = dataset.element(0x00091101, "SQ", pack("<HHI", 0xFFFE, 0xE000, len(item)) + item)
    file = dataset.canonical_head("1.2.3", "1.2.4", EXPLICIT) + UIDS + body + dataset.element(0x00400244, "DA", b"2024")
    del item, body
    Path("/proc/self/clear_refs").write_text("5")  # the most that was held counts from here
    before = held_kib("VmRSS")
    found = dataset.describe(file)
    assert held_kib("VmHWM") - before < 16 << 10 < len(file) >> 12
    assert found.not_indexed == ("00091101",)
    assert dataset.get(found.header, "00400244") == b"2024"


def held_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_what_stands_behind_a_sequence_of_any_size_is_in_the_header(count: int) -> None:
    """Up to the limit of a header the sequence is there whole; beyond it, not at all."""
    item = b"".join(dataset.element(0x00100020, "LO", b"x" * 1000) for _ in range(count))
    inner = dataset.element(0x00081140, "SQ", pack("<HHI", 0xFFFE, 0xE000, len(item)) + item)
    body = dataset.element(0x00081115, "SQ", pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
    behind = dataset.element(0x00400244, "DA", b"20240101")
    found = dataset.describe(dataset.canonical_head("1.2.3", "1.2.4", EXPLICIT) + body + UIDS + behind)
    is_whole = len(body) <= dataset.HEADER_BYTES_MAX
    assert found.not_indexed == (() if is_whole else ("00081115",))
    assert (body in found.header) is is_whole
    assert dataset.get(found.header, "00400244") == b"20240101"
    assert [path for path, *_ in dataset.walk(found.header, EXPLICIT) if "." not in path][-1] == "00400244"


@pytest.mark.skipif(DCMCONV is None, reason="dcmconv is not installed: apt-get install dcmtk")
@pytest.mark.parametrize(
    "options", [["+te"], ["+ti"], ["+tb"], ["+te", "+e"], ["+te", "-e"], ["+ti", "+g"]], ids=" ".join
)
def test_content_written_anew_by_dcmtk_is_the_same_content(options: list[str], tmp_path: Path) -> None:
    assert DCMCONV is not None
    (tmp_path / "in.dcm").write_bytes(generated())
    subprocess.run([DCMCONV, *options, tmp_path / "in.dcm", tmp_path / "out.dcm"], check=True, timeout=20)
    written = (tmp_path / "out.dcm").read_bytes()
    assert described(written).content_digest == described(generated()).content_digest
    assert described(written).transfer_syntax_uid != "" and written != generated()


def test_every_changed_value_is_other_content() -> None:
    data = generated()
    original = described(data).content_digest
    _, offset, _ = dataset.canonical(data)
    changed = 0
    for path, vr, at, length in dataset.walk(data[offset:], EXPLICIT):
        if length <= 0 or vr in ("SQ", "UI") or len(path) > 8:
            continue
        other = bytearray(data)
        other[offset + at] ^= 1
        assert described(bytes(other)).content_digest != original, path
        changed += 1
    assert changed > 50


def test_a_projection_has_exactly_what_was_asked() -> None:
    header = described(generated()).header
    tags = [0x00080005, 0x00080061, 0x00100010, 0x0020000D, 0x00201206]
    extra = dataset.element(0x00080061, "CS", b"CT") + dataset.element(0x00201206, "IS", b"5")
    for implicit, syntax in ((False, EXPLICIT), (True, IMPLICIT)):
        answer = dataset.project(header, [*tags, 0x00321060], implicit=implicit, extra=extra)
        read = pydicom.dcmread(BytesIO(dataset.canonical_head("1.2", "1.3", syntax) + answer))
        assert [element.tag for element in read] == [*tags, 0x00321060]
        assert read.ModalitiesInStudy == "CT" and read.NumberOfStudyRelatedSeries == 5
        assert not read.RequestedProcedureDescription


def test_values_are_text_in_their_character_set() -> None:
    for charset, encoding in (
        ("ISO_IR 100", "latin-1"),
        ("ISO_IR 192", "utf-8"),
        ("ISO 2022 IR 6\\ISO 2022 IR 87", ""),
    ):
        name = "Müller^Hans" if encoding else "Yamada^Tarou"
        header = dataset.element(0x00080005, "CS", charset.encode()) + dataset.element(
            0x00100010, "PN", name.encode(encoding or "ascii")
        )
        assert dataset.values(header, ["00100010", "00100020"]) == [name, None]
    numbers = dataset.element(0x00280010, "US", pack("<HH", 3, 4))
    assert dataset.values(numbers, ["00280010"]) == ["3\\4"]
