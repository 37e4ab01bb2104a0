"""The content digest: DCMTK may write the same content anew in any encoding; anything else is other content."""

import random
import shutil
import subprocess
from pathlib import Path
from struct import pack

import pytest
import xxhash

from native import dataset
from tests.native import oracles
from tests.native.oracles_json import kept_files

DCMCONV = shutil.which("dcmconv")
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
FORMS = (["+te", "-g", "-e"], ["+ti", "+g", "+e"], ["+tb", "-e"], ["+td", "+e"])
UID_VALUES = [
    (0x00080016, b"1.2.3\0"),
    (0x00080018, b"1.2.4\0"),
    (0x0020000D, b"1.2.5\0"),
    (0x0020000E, b"1.2.6\0"),
]
UIDS = b"".join(dataset.element(tag, "UI", value) for tag, value in UID_VALUES)


def digest(body: bytes, syntax: str = EXPLICIT) -> bytes:
    return dataset.describe(dataset.canonical_head("1.2.3", "1.2.4", syntax) + body).content_digest


@pytest.mark.skipif(DCMCONV is None, reason="dcmconv is not installed: apt-get install dcmtk")
@pytest.mark.parametrize("path", kept_files()[::3], ids=lambda path: path.name)
def test_what_dcmtk_writes_anew_is_the_same_content(path: Path, tmp_path: Path) -> None:
    assert DCMCONV is not None
    original = dataset.describe(path.read_bytes()).content_digest
    for options in FORMS:
        out = tmp_path / "out.dcm"
        if subprocess.run([DCMCONV, *options, path, out], capture_output=True, timeout=60).returncode == 0:
            assert dataset.describe(out.read_bytes()).content_digest == original, options


def test_padding_of_public_text_does_not_count_but_leading_spaces_do() -> None:
    def one(value: bytes) -> bytes:
        return digest(UIDS + dataset.element(0x00204000, "LT", value))

    assert one(b"ab") == one(b"ab  ") == one(b"ab\0\0")
    assert len({one(b"ab"), one(b" ab"), one(b"abc"), one(b""), one(b"a b")}) == 5


def test_binary_zeros_count() -> None:
    one, none = pack("<H", 0), b""
    assert digest(UIDS + dataset.element(0x00280103, "US", one)) != digest(
        UIDS + dataset.element(0x00280103, "US", none)
    )


def test_fragments_are_other_content_than_the_same_bytes_native() -> None:
    head = pack("<HH", 0x7FE0, 0x0010) + b"OB\0\0"
    item, end = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"

    def encapsulated(*fragments: bytes) -> bytes:
        items = b"".join(item + pack("<I", len(fragment)) + fragment for fragment in (b"", *fragments))
        return digest(UIDS + head + b"\xff" * 4 + items + end)

    native = digest(UIDS + head + pack("<I", 4) + b"abcd")
    assert len({native, encapsulated(b"abcd"), encapsulated(b"ab", b"cd")}) == 3


def test_items_cannot_be_moved_between_sequences_or_joined() -> None:
    def item(body: bytes) -> bytes:
        return b"\xfe\xff\x00\xe0" + pack("<I", len(body)) + body

    one = dataset.element(0x00081150, "UI", b"1.2")
    other = dataset.element(0x00081155, "UI", b"1.3")
    forms = (
        item(one + other),
        item(one) + item(other),
        item(one) + item(other) + item(b""),
        item(b"") + item(one + other),
    )
    assert len({digest(dataset.element(0x00081140, "SQ", form) + UIDS) for form in forms}) == len(forms)


@pytest.mark.parametrize("seed", range(60))
def test_the_digest_is_that_of_the_slow_oracle_in_every_encoding(seed: int) -> None:
    chance = random.Random(seed)
    uids = [oracles.Element(tag, "UI", value, []) for tag, value in UID_VALUES]
    tree = sorted([*uids, *oracles.random_items(chance, 3)], key=lambda one: one.tag)
    expected = xxhash.xxh3_128_digest(oracles.tokens(tree))
    for syntax, implicit, big in ((EXPLICIT, False, False), (IMPLICIT, True, False), (BIG_ENDIAN, False, True)):
        for undefined in (False, True):
            body = oracles.encoded(tree, implicit=implicit, big=big, undefined=undefined)
            assert digest(body, syntax) == expected, (syntax, undefined)
