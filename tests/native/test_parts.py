"""Parts of stored headers against a slow oracle: the headers of all real files, pairs of them, and every cut."""

import random

import pytest
from pydicom._dicom_dict import DicomDictionary

from bench.data import Shape, study_files
from native import dataset, parts
from native.explicit import elements
from native.layout import RowLayout
from tests.native.real_files import REFUSED, files


def stored_header(file: bytes) -> bytes:
    head, offset, _ = dataset.canonical(file)
    return dataset.describe(head + file[offset:]).header


def stored_headers() -> list[bytes]:
    real = [path.read_bytes() for path in files() if path.name not in REFUSED]
    generated = [file.data for file in study_files(Shape(series=2, instances=3, stub=True), 0)]
    return [stored_header(file) for file in [*real, *generated]]


HEADERS = stored_headers()


def by_tag(header: bytes) -> dict[int, bytes]:
    return {tag: header[start:end] for tag, _, start, _, end in elements(header)}


def joined(kept: dict[int, bytes]) -> bytes:
    return b"".join(kept[tag] for tag in sorted(kept))


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_elements_and_groups(number: int) -> None:
    header = HEADERS[number]
    known = by_tag(header)
    assert known
    for tag, element in known.items():
        assert parts.element(header, tag) == element
        assert parts.element(header, tag ^ 1) == known.get(tag ^ 1, b"")
        group = {other: known[other] for other in known if other >> 16 == tag >> 16}
        assert parts.group(header, tag >> 16) == joined(group)
    assert parts.group(header, 0x7777) == b""


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_differences_and_cuts(number: int) -> None:
    header, other = HEADERS[number], HEADERS[(number * 7 + 1) % len(HEADERS)]
    known, others = by_tag(header), by_tag(other)
    expected = {tag for tag in {*known, *others} if known.get(tag) != others.get(tag)}
    found: set[int] = set()
    parts.differing(header, other, found)
    assert found == expected
    same: set[int] = set()
    parts.differing(header, header, same)
    assert not same
    groups = {tag >> 16 for tag in expected if tag >> 16 & 1}
    kept = {tag: known[tag] for tag in known if tag in expected or tag >> 16 in groups}
    rest = {tag: known[tag] for tag in known if tag not in kept}
    assert parts.cut(header, found) == (joined(kept), joined(rest))
    assert parts.cut(header, ()) == (b"", header) and parts.cut(header, known) == (header, b"")


def test_every_cut_and_garbage_stay_inside() -> None:
    header, chance = HEADERS[-1], random.Random(5)
    for at in range(len(header)):
        piece = header[:at]
        known = by_tag(piece)
        assert joined(known) == b"".join(parts.cut(piece, known))
        assert all(parts.element(piece, tag) == known[tag] for tag in known)
    for _ in range(500):
        noise = bytearray(header)
        for _ in range(5):
            noise[chance.randrange(len(noise))] = chance.randrange(256)
        parts.element(noise, 0x00400275)
        parts.group(noise, 0x0009)
        parts.differing(noise, header, set())
        parts.cut(noise, (0x00080060, 0x00090010))


def test_representations_are_those_of_the_dictionary() -> None:
    compared = {tag: entry[0] for tag, entry in DicomDictionary.items() if len(entry[0]) == 2 and tag & 0xFFFF}
    assert len(compared) > 4000
    assert {tag: parts.representation(tag) for tag in compared} == compared
    assert parts.representation(0x00280106) == "XS"
    assert [parts.representation(tag) for tag in (0x00091001, 0x00090010, 0x7FFFFFFE)] == ["UN", "LO", "UN"]


def laid_out(header: bytes, own: bytes, blanks: bytes, tags: set[int] | None) -> bytes:
    """The slow oracle of ``RowLayout``."""
    stored = header if tags is None else parts.cut(header, tags)[0]
    return joined({**by_tag(blanks), **by_tag(stored), **by_tag(own)})


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_rows_of_a_layout(number: int) -> None:
    chance = random.Random(number)
    header, other = HEADERS[number], HEADERS[(number * 5 + 2) % len(HEADERS)]
    names = sorted({*by_tag(header), *by_tag(other)})
    for count in (0, 1, 3, 12, len(names)):
        chosen = set(chance.sample(names, min(count, len(names))))
        own = parts.cut(other, set(chance.sample(names, min(3, len(names)))))[0]
        blanks = b"".join(dataset.element(tag, "LO", b"") for tag in sorted(chosen) if not tag >> 16 & 1)
        for tags in (chosen, None):
            assert RowLayout(tags, blanks).row(header, own) == laid_out(header, own, blanks, tags)


def test_a_layout_of_nothing_and_of_what_is_cut_short() -> None:
    assert RowLayout(set(), b"").row(b"", b"") == b""
    assert RowLayout(None, b"").row(memoryview(HEADERS[0]), b"") == HEADERS[0]
    whole = RowLayout(None, HEADERS[1])
    for end in range(min(400, len(HEADERS[0]))):
        assert whole.row(HEADERS[0][:end], b"") == laid_out(HEADERS[0][:end], b"", HEADERS[1], None)
