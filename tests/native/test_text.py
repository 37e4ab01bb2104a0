"""Text into character sets and back: C11 (PS3.5 6.1.2.5, annexes H to K)."""

import re

import pytest

from native.text import CHARACTER_SET_PATTERN, decode, encode

JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"
KOREAN = "Hong^Gildong=洪^吉洞=홍^길동"


@pytest.mark.parametrize(
    ("text", "character_set", "raw"),
    [
        ("Müller^Hans", "ISO_IR 100", b"M\xfcller^Hans"),
        ("Łukasz", "ISO_IR 101", b"\xa3ukasz"),
        ("山田", "ISO_IR 192", "山田".encode()),
        ("王^小东", "GB18030", b"\xcd\xf5^\xd0\xa1\xb6\xab"),
        # PS3.5 H.3.1 and H.3.2
        (JAPANESE, "\\ISO 2022 IR 87",
         b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", "ISO 2022 IR 13\\ISO 2022 IR 87",
         b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"),
        # PS3.5 I.2
        (KOREAN, "\\ISO 2022 IR 149",
         b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"),
        ("山é", "\\ISO 2022 IR 159\\ISO 2022 IR 87", b"\x1b$B;3\x1b$(D+1\x1b(B"),
    ],
)  # fmt: skip
def test_C11_as_the_standard_writes_it(text: str, character_set: str, raw: bytes) -> None:
    assert encode(text, character_set.encode()) == raw
    assert decode(raw, character_set.encode()) == text


@pytest.mark.parametrize(
    ("text", "character_set"),
    [
        ("Müller", ""), ("Müller", "ISO_IR 6"), ("山田", "ISO_IR 100"), ("Müller", "\\ISO 2022 IR 87"),
        (KOREAN, "\\ISO 2022 IR 87"), ("Müller^山田", "ISO 2022 IR 13\\ISO 2022 IR 87"), ("山田", "ISO_IR 13"),
    ],
)  # fmt: skip
def test_what_a_set_does_not_hold_is_not_encoded(text: str, character_set: str) -> None:
    assert encode(text, character_set.encode()) is None


def test_escapes_begin_anew_behind_what_parts_values() -> None:
    assert encode("山\\田", b"\\ISO 2022 IR 87") == b"\x1b$B;3\x1b(B\\\x1b$BED\x1b(B"
    assert encode("山\r\n田", b"\\ISO 2022 IR 149") == b"\x1b$)C\xdf\xa3\r\n\x1b$)C\xef\xa3"


@pytest.mark.parametrize(
    "character_set", ["ISO_IR 100", "ISO_IR 192", "GB18030", "\\ISO 2022 IR 87", "\\ISO 2022 IR 149"]
)
def test_all_that_is_encoded_comes_back(character_set: str) -> None:
    for text in ("Müller^Hans", JAPANESE, "山a田 b", "王^小东", "Люкс", "", "plain"):
        raw = encode(text, character_set.encode())
        assert raw is None or b"\x1b" in raw or not raw.isascii() or text.isascii()
        assert raw is None or decode(raw, character_set.encode()) == text


def test_settings_name_sets_by_their_terms() -> None:
    said = [
        "",
        "ISO_IR 192",
        "GBK",
        "\\ISO 2022 IR 87",
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        "\\ISO 2022 IR 87\\ISO 2022 IR 159",
    ]
    assert all(re.fullmatch(CHARACTER_SET_PATTERN, one) for one in said)
    unsaid = ["latin-1", "ISO_IR 999", "\\ISO_IR 192", "ISO_IR 100\\ISO 2022 IR 87", "ISO_IR 192\\GBK", "ISO_IR 192 "]
    assert not any(re.fullmatch(CHARACTER_SET_PATTERN, one) for one in unsaid)
