"""What is read out of headers, and how values are compared."""

from struct import pack

import pytest

from engine.index.attributes import element, level_header, short_text
from engine.index.matching import glob
from engine.index.moments import date_number, time_number
from engine.index.texts import character_set_of, text_of, texts_at, texts_in
from engine.model import Level
from native import dataset, parts
from native.explicit import elements


def sequence(tag: int, *items: bytes) -> bytes:
    body = b"".join(pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, len(body)) + body


def raw(tag: int, vr: bytes, value: bytes) -> bytes:
    return pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


HEADER = b"".join(
    (
        raw(0x00080005, b"CS", b"ISO_IR 100"),
        element(0x00080060, "CS", "CT"),
        element(0x00090010, "LO", "ACME 1.0"),
        element(0x00091001, "LO", "private"),
        element(0x00091002, "PN", "Doe^Jane"),
        element(0x00091101, "LO", "nobody's"),
        raw(0x00100010, b"PN", "Müller^Hans ".encode("latin-1")),
        element(0x00200013, "IS", "7"),
        raw(0x00280010, b"US", b"\x00\x02"),
        sequence(
            0x00400275, element(0x00400007, "LO", "CT\\Head"), sequence(0x00400008, element(0x00080100, "SH", "X1"))
        ),
    )
)


SEARCHED = {
    "00080005": ("ISO_IR 100",),
    "00080060": ("CT",),
    "00090010": ("ACME 1.0",),
    "0009,ACME 1.0,01": ("private",),
    "0009,ACME 1.0,02~": ("doe^jane",),
    "0009,ACME 1.0,02~^": ("doe", "jane"),
    "0009,ACME 1.0,02~%": ("jana",),
    "00091101": ("nobody's",),
    "00100010": ("muller^hans",),
    "00100010^": ("muller", "hans"),
    "00100010%": ("malar", "hans"),
    "00200013": ("7",),
    "00280010": ("512",),
    "00400275.00400007": ("CT", "Head"),
    "00400275.00400008.00080100": ("X1",),
}


def test_paths_of_plain_private_and_nested_values() -> None:
    assert {path: texts for path, texts, _ in texts_in(HEADER, character_set_of(HEADER))} == SEARCHED
    assert {path: texts_at(HEADER, path) for path in SEARCHED} == SEARCHED
    assert texts_at(HEADER, "00091001") == texts_at(HEADER, "0009,OTHER,01") == texts_at(HEADER, "00100020") == ()


def test_single_values() -> None:
    assert [short_text(HEADER, tag) for tag in (0x00080060, 0x00080061, 0x00200013)] == ["CT", "", "7"]
    assert text_of(HEADER, 0x00100010) == "Müller^Hans"
    assert text_of(HEADER, 0x00100020) == ""


@pytest.mark.parametrize("cut", range(len(HEADER)))
def test_every_cut_is_read_as_far_as_it_goes(cut: int) -> None:
    cut_header = HEADER[:cut]
    found = {path: texts for path, texts, _ in texts_in(cut_header, character_set_of(cut_header))}
    assert set(found) <= set(SEARCHED)
    for path in SEARCHED:
        assert texts_at(cut_header, path) == found.get(path, ())
    assert short_text(cut_header, 0x00080060) in ("", "CT")
    text_of(cut_header, 0x00400275)
    first, rest = parts.cut(cut_header, (0x00080060, 0x00091001))
    assert len(first) + len(rest) <= len(cut_header)


def test_levels() -> None:
    both = dataset.merge((element(0x00080060, "CS", "MR") + element(0x00201209, "IS", "3"), HEADER))
    tags = [tag for tag, *_ in elements(both)]
    assert tags == sorted(tags) and len(set(tags)) == len(tags)
    assert text_of(both, 0x00080060) == "MR"
    assert [tag for tag, *_ in elements(level_header(HEADER, Level.STUDY))] == [0x00080005, 0x00100010]


def test_dates_and_times_are_numbers() -> None:
    assert date_number("20240131") == date_number("2024.01.31") == 20240131
    assert date_number("2024") is date_number("２０２４０１３１") is None
    assert time_number("08") == 80000 * 10**6
    assert time_number("0830", "9") == 83059999999
    assert time_number("083015.25") == 83015250000
    assert time_number("8") is time_number("") is None


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("a*c", "abc", True),
        ("a*c", "abcd", False),
        ("?", "", False),
        ("*b?", "abbc", True),
        ("a", "b", False),
    ],
)
def test_wildcards(pattern: str, text: str, expected: bool) -> None:
    assert glob(pattern, text) is expected
