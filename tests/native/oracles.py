"""Slow, obvious doubles of native code, for its tests: the content digest's tokens and the scan of a segment."""

import random
from struct import pack, unpack_from
from typing import NamedTuple

import xxhash

LONG = {"OB", "OW", "SQ", "UN", "UT"}
WORDS = {"US": 2, "UL": 4, "FD": 8, "OW": 2}
TEXT = {"PN", "LT", "UI", "CS", "UT"}
# public tags by what they hold, and private binary ones
ELEMENTS = [
    (0x00080060, "CS"),
    (0x00100010, "PN"),
    (0x00189087, "FD"),
    (0x00204000, "LT"),
    (0x00280010, "US"),
    (0x00280011, "US"),
    (0x00091001, "OB"),
    (0x0040A160, "UT"),
]
SEQUENCES = [0x00081140, 0x00081115, 0x00400275, 0x00540016]


class Element(NamedTuple):
    tag: int
    vr: str
    value: bytes  # little endian
    items: list[list["Element"]]  # of a sequence


def random_items(chance: random.Random, depth: int) -> list[Element]:
    """One level of a data set, ascending."""
    found = []
    for tag, vr in chance.sample(ELEMENTS, chance.randrange(len(ELEMENTS))):
        size = WORDS.get(vr, 1) * chance.randrange(4)
        value = chance.randbytes(size) if vr in WORDS or vr == "OB" else bytes(chance.choices(b"ab \\^=9", k=size))
        found.append(Element(tag, vr, value + b" " * (len(value) & 1), []))
    if depth:
        for tag in chance.sample(SEQUENCES, chance.randrange(3)):
            count = chance.randrange(3)
            found.append(Element(tag, "SQ", b"", [random_items(chance, depth - 1) for _ in range(count)]))
    return sorted(found, key=lambda one: one.tag)


def tokens(elements: list[Element]) -> bytes:
    """What the digest is made of (native/digest.pyx says it in words)."""
    out = b""
    for one in elements:
        if one.items:
            out += b"S" + pack("<I", one.tag) + b"".join(b"I" + tokens(item) for item in one.items) + b"E"
        else:
            value = one.value.rstrip(b" \0") if one.vr in TEXT else one.value
            out += b"V" + pack("<IQ", one.tag, len(value)) + value
    return out


def encoded(elements: list[Element], *, implicit: bool, big: bool, undefined: bool) -> bytes:
    """The same as bytes of a data set; sequences and items of undefined or of defined length."""
    order = ">" if big else "<"
    out = b""
    for one in elements:
        value = one.value
        if one.vr == "SQ":
            value = b""
            for item in one.items:
                body = encoded(item, implicit=implicit, big=big, undefined=undefined)
                value += pack(order + "HHI", 0xFFFE, 0xE000, 0xFFFFFFFF if undefined else len(body)) + body
                value += pack(order + "HHI", 0xFFFE, 0xE00D, 0) if undefined else b""
        elif big and (word := WORDS.get(one.vr, 1)) > 1:
            value = b"".join(value[at : at + word][::-1] for at in range(0, len(value), word))
        length = 0xFFFFFFFF if one.vr == "SQ" and undefined else len(value)
        out += pack(order + "HH", one.tag >> 16, one.tag & 0xFFFF)
        if implicit:
            out += pack("<I", length)
        elif one.vr in LONG:
            out += one.vr.encode() + b"\0\0" + pack(order + "I", length)
        else:
            out += one.vr.encode() + pack(order + "H", length)
        out += value
        out += pack(order + "HHI", 0xFFFE, 0xE0DD, 0) if length == 0xFFFFFFFF else b""
    return out


class Scanned(NamedTuple):
    lsns: list[int]
    contexts: list[bytes]
    end: int
    torn: bool


def slow_scan(segment: bytes, generation: int) -> Scanned:
    """Every sound record at a multiple of 8 (engine/keep/intake_format.py draws it)."""
    found, at, end, torn = [], 0, 0, False
    while at + 80 <= len(segment):
        magic, version = unpack_from("<IH", segment, at)
        context, payload = unpack_from("<I4xQ", segment, at + 40)
        if magic == 0x314D5246 and version == 1 and unpack_from("<Q", segment, at + 8)[0] == generation:
            body = segment[at + 80 : at + 80 + context + payload]
            seed = xxhash.xxh3_64_intdigest(body, generation)
            whole = len(body) == context + payload and context <= 4096
            if (
                whole
                and xxhash.xxh3_64_intdigest(segment[at : at + 72], seed) == unpack_from("<Q", segment, at + 72)[0]
            ):
                found.append((unpack_from("<Q", segment, at + 16)[0], body[:context]))
                at = end = (at + 80 + context + payload + 7) // 8 * 8
                continue
            torn = True
        at += 8
    return Scanned([lsn for lsn, _ in found], [context for _, context in found], end, torn)
