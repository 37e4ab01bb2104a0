"""Answers in the character set that a peer understands (PS3.3 C.12.1.1.2, PS3.4 C.4.1.1.3.2). Pure."""

from functools import lru_cache
from typing import Final

from native import dataset
from native.explicit import elements, item, items
from native.text import CHARSET_VRS, decode, encode

CHARACTER_SET: Final = 0x00080005
UTF8: Final = "ISO_IR 192"


class _NotHeld(Exception):
    """The character set does not hold the text."""


def in_character_set(header: bytes, wanted: str) -> bytes:
    """A data set (Explicit VR Little Endian, defined lengths) in another character set, which it names; in UTF-8 when
    that does not hold all of its text. As it is when it says the same in every character set."""
    if not needs_character_set(header):
        return header
    stored = _named(header, b"")
    try:
        return dataset.merge((_naming(wanted), _rewritten(header, stored, wanted.encode())))
    except _NotHeld:
        return dataset.merge((_naming(UTF8), _rewritten(header, stored, UTF8.encode())))


def needs_character_set(header: bytes) -> bool:
    """Whether it may not say the same in every character set: bytes beyond ASCII, or an escape."""
    return not header.isascii() or b"\x1b" in header


def _named(header: bytes, default: bytes) -> bytes:
    return dataset.get(header, f"{CHARACTER_SET:08X}") or default


def _naming(character_set: str) -> bytes:
    return dataset.element(CHARACTER_SET, "CS", character_set.encode())


def _rewritten(header: bytes, stored: bytes, wanted: bytes) -> bytes:
    """Items that name a character set of their own are read by it, and name none any more."""
    parts = []
    for tag, vr, start, value, end in elements(header):
        if tag == CHARACTER_SET:
            continue
        if not needs_character_set(header[value:end]):
            parts.append(header[start:end])
        elif vr == b"SQ":
            inner = [header[begin:stop] for begin, stop in items(header, value, end)]
            whole = b"".join(item(_rewritten(one, _named(one, stored), wanted)) for one in inner)
            parts.append(header[start : value - 4] + len(whole).to_bytes(4, "little") + whole)
        elif vr.decode() in CHARSET_VRS:
            parts.append(dataset.element(tag, vr.decode(), _translated(header[value:end], stored, wanted)))
        else:
            parts.append(header[start:end])
    return b"".join(parts)


@lru_cache(maxsize=4096)
def _translated(raw: bytes, stored: bytes, wanted: bytes) -> bytes:
    """Raises _NotHeld, also for what would be too long for its VR."""
    text = decode(raw, stored).rstrip("\0 ")
    found = encode(text, wanted)
    if found is None:
        raise _NotHeld
    return found
