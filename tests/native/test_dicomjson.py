"""DICOM JSON of headers against pydicom's, and the corners of PS3.18 F that real files do not show (C31, H42)."""

import base64
import json
import random
import warnings
from pathlib import Path
from struct import pack
from typing import Any

import pydicom
import pytest

from native import dataset, dicomjson
from tests.native.oracles_json import carried_files, differences, kept_files


def element(tag: int, vr: str, value: bytes) -> bytes:
    return dataset.element(tag, vr, value)


def sequence(tag: int, *items: bytes) -> bytes:
    return element(tag, "SQ", b"".join(b"\xfe\xff\x00\xe0" + pack("<I", len(item)) + item for item in items))


def shown(*elements: bytes) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(dicomjson.header_json(b"".join(elements)), parse_constant=refuse)
    return read


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def value(vr: str, raw: bytes, charset: bytes = b"") -> Any:
    """What one value is in JSON."""
    tag = 0x00104000
    elements = [element(0x00080005, "CS", charset)] if charset else []
    return shown(*elements, element(tag, vr, raw))["00104000"].get("Value", "absent")


def test_few_carried_files_are_refused() -> None:
    assert len(carried_files()) - len(kept_files()) == 36


@pytest.mark.parametrize("path", kept_files(), ids=lambda path: path.name)
def test_real_headers_say_what_pydicom_says(path: Path) -> None:
    found = dataset.describe(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert differences(shown(found.header), pydicom.dcmread(path, force=True)) == []


@pytest.mark.parametrize(
    ("vr", "raw", "expected"),
    [
        ("IS", b"007 ", [7]),
        ("IS", b"+12\\-3", [12, -3]),
        ("DS", b" 1.50\\.5\\5.\\-0.25", [1.5, 0.5, 5, -0.25]),
        ("DS", b"1E5\\1e-05", [1e5, 1e-5]),
        ("DS", b"1e999", ["1e999"]),
        ("DS", b"nan\\1,5\\.\\-\\1e\\0x10", ["nan", "1,5", ".", "-", "1e", "0x10"]),
        ("IS", b"\\4\\", [None, 4, None]),
        ("LO", b"a\\\\b ", ["a", None, "b"]),
        ("LO", b"", "absent"),
        ("LO", b"   ", "absent"),
        ("UI", b"1.2\0", ["1.2"]),
        ("LT", b"a\\b", ["a\\b"]),
        ("UR", b"http://x/a?b\\c", ["http://x/a?b\\c"]),
        ("UC", b"a\\b", ["a", "b"]),
        ("US", pack("<2H", 0, 65535), [0, 65535]),
        ("SS", pack("<2h", -32768, 5), [-32768, 5]),
        ("UL", pack("<I", 2**32 - 1), [2**32 - 1]),
        ("SL", pack("<i", -(2**31)), [-(2**31)]),
        ("SV", pack("<2q", -(2**53), 2**53 + 1), [-(2**53), str(2**53 + 1)]),
        ("UV", pack("<Q", 2**64 - 1), [str(2**64 - 1)]),
        ("FD", pack("<3d", 0.1, -1e300, 5e-324), [0.1, -1e300, 5e-324]),
        ("FD", pack("<3d", float("nan"), float("inf"), float("-inf")), ["NaN", "inf", "-inf"]),
        ("FL", pack("<f", float("inf")), ["inf"]),
        ("AT", pack("<4H", 0x10, 0x20, 0x7FE0, 0x10), ["00100020", "7FE00010"]),
        ("US", b"\1", "absent" if len(b"\1 ") < 2 else [0x2001]),
    ],
)
def test_values(vr: str, raw: bytes, expected: Any) -> None:
    assert value(vr, raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Doe^John", [{"Alphabetic": "Doe^John"}]),
        (b"A=B=C\\D", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C"}, {"Alphabetic": "D"}]),
        (b"=B", [{"Ideographic": "B"}]),
        (b"A==C=D", [{"Alphabetic": "A", "Phonetic": "C"}]),
        (b"A\\\\B", [{"Alphabetic": "A"}, None, {"Alphabetic": "B"}]),
    ],
)
def test_person_names(raw: bytes, expected: Any) -> None:
    assert value("PN", raw) == expected


@pytest.mark.parametrize(
    ("charset", "raw", "expected"),
    [
        (b"", b"\xe4", ["ä"]),
        (b"ISO_IR 100", "Äneas\\ß".encode("latin-1"), ["Äneas", "ß"]),
        (b"ISO_IR 192", "山田😀".encode(), ["山田😀"]),
        (b"ISO_IR 192", b"a\xc0\xafb\xed\xa0\x80\xff", ["a��b����"]),
        (b"ISO_IR 192", b"\xe5\xb1", ["��"]),
        (b"ISO_IR 101", "Š".encode("iso8859_2"), ["Š"]),
        (b"GB18030", "丂a".encode("gb18030"), ["丂a"]),
        (b"GBK", b"\x81\\a", [b"\x81\\a".decode("gbk")]),  # the second byte of a character looks like a backslash
        (b"ISO_IR 13", b"\xd4\xcf\xc0\\b", ["ﾔﾏﾀ", "b"]),
        (b"\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B", ["山田"]),
        (b"FOO_BAR", b"a\xe4", ["aä"]),
    ],
)
def test_character_sets(charset: bytes, raw: bytes, expected: Any) -> None:
    assert value("LO", raw, charset) == expected


def test_a_cut_escape_sequence_keeps_the_rest_of_the_value() -> None:
    assert "abc" in value("LO", b"abc\x1b$", b"\\ISO 2022 IR 87")[0]


def test_the_answer_says_that_it_is_utf8_at_each_level() -> None:
    inner = element(0x00080005, "CS", b"ISO_IR 192") + element(0x00081030, "LO", "ä".encode())
    read = shown(
        element(0x00080005, "CS", b"ISO_IR 100"),
        sequence(0x00081140, inner, element(0x00081030, "LO", b"\xe4")),
        element(0x00100010, "PN", b"\xe4"),
    )
    assert read["00080005"]["Value"] == ["ISO_IR 192"]
    one, other = read["00081140"]["Value"]
    assert one["00081030"]["Value"] == other["00081030"]["Value"] == ["ä"]
    assert read["00100010"]["Value"] == [{"Alphabetic": "ä"}]


def test_sequences_and_binary() -> None:
    read = shown(
        sequence(0x00081140),
        sequence(0x00081199, b"", element(0x00081150, "UI", b"1.2")),
        element(0x00091001, "UN", b"\0\1\2"),
        element(0x00091002, "OB", b""),
    )
    assert read["00081140"] == {"vr": "SQ"}
    assert read["00081199"]["Value"] == [{}, {"00081150": {"vr": "UI", "Value": ["1.2"]}}]
    assert base64.b64decode(read["00091001"]["InlineBinary"]) == b"\0\1\2\0"
    assert read["00091002"] == {"vr": "OB"}


def test_script_and_control_characters_are_inside_strings() -> None:
    raw = bytes(range(1, 32)).replace(b"\x1b", b"") + b'"</script>\x7f'
    assert value("LT", raw) == [raw.decode()]


def test_a_projection_shows_only_what_was_asked() -> None:
    header = (
        sequence(0x00081140, element(0x00100020, "LO", b"x"))
        + element(0x00100010, "PN", b"A")
        + element(0x00100020, "LO", b"1")
    )
    read = json.loads(dicomjson.project_json(header, [0x00100020, 0x00081140, 0x00200010]))
    assert list(read) == ["00081140", "00100020"]
    assert read["00081140"]["Value"][0]["00100020"]["Value"] == ["x"]
    assert dicomjson.project_json(header, []) == b"{}" == dicomjson.header_json(b"")


def test_every_cut_and_garbage_is_json_or_refused() -> None:
    header = sequence(0x00081140, element(0x00100020, "LO", b"x"), b"") + element(0x00100010, "PN", b"A=B\\C")
    chance = random.Random(31)
    bodies = [header[:cut] for cut in range(len(header))]
    for _ in range(3000):
        body = bytearray(header * 3)
        for _ in range(chance.randrange(1, 8)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        bodies += [bytes(body), chance.randbytes(chance.randrange(120))]
    for body in bodies:
        try:
            text = dicomjson.header_json(body)
        except ValueError:
            continue
        json.loads(text, parse_constant=refuse)
