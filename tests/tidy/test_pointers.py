"""The wall around bytes from outside: they are read through native/cursor.pxd alone.

No other native file adds to or subtracts from a pointer, takes the address of an element behind it, or casts to a
pointer to bytes, but for the few below: they write into room of their own, or speak with C.
"""

import re
from pathlib import Path

import pytest

from tests.tidy.reading import native_files

THE_DOOR = "cursor.pxd"
# File to the reason why it may reach into room of its own.
OWN_ROOM = {
    "output.pxd": "the growing buffer of what is written: bounded in room()",
    "growing.pxd": "the growing buffer of what is received: bounded in grow() and place_at()",
    "canonical.pyx": "writes the head: 512 bytes for three UIDs of at most 64",
    "command.pxd": "writes command sets: 512 bytes for two UIDs and an AE title",
    "command_set.pyx": "writes fragments into a bytes object made to measure",
    "pdu_write.pyx": "writes items into bytes objects made to measure",
    "record.pxd": "writes the 80 bytes of a record's head",
    "lane.pyx": "writes context and head into the headroom that its callers leave, and one msgpack map of fixed size",
    "segment.pyx": "puts a record together in memory allocated to measure",
    "send.pyx": "lays out PDUs in its window, and holds a caller's buffer",
    "socket_io.pxd": "goes on where a send ended",
    "inflate.pyx": "zlib fills its buffer",
    "place.pyx": "its own copying buffer",
    "glance.pyx": "fills a bytes object, and memory beside it, made to measure",
}
# File to the reason of its casts: an address from C that becomes a cursor, or goes back to C.
CASTS = {
    "arrival.pyx": "the preambles that are kept become a cursor",
    "job.pyx": "a caller's buffer becomes a cursor; goes on in its own parts where a read ended",
    "scan.pyx": "a mapped segment becomes a cursor",
    "frames.pyx": "its own array of fragments, written as bytes",
    "dicomjson.pyx": "its own array of tags",
    "pour.pyx": "a buffer that a caller puts, held until it is sent",
    "view.pxd": "an empty buffer has no first byte to point to",
}
POINTER = r"(?:uint8_t|uint32_t|uint64_t|char|void|unsigned char)\s*\*+\s*"
CAST = re.compile(rf"<(?:const )?{POINTER}>")
DECLARED = re.compile(rf"{POINTER}(\w+)")
# Members of the room's structures that are pointers to bytes.
MEMBERS = {"data", "value", "mapped", "out"}


def code_of(path: Path) -> list[str]:
    """Lines without C blocks, docstrings, strings and comments."""
    text = path.read_text("utf-8")
    for block in (r'cdef extern from [^\n]*\n\s+"""(.*?)"""', r'""".*?"""'):
        text = re.sub(block, lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    return [re.sub(r'b?"(?:\\.|[^"\\])*"|b?\'(?:\\.|[^\'\\])*\'|#.*', "''", line) for line in text.split("\n")]


def moved(lines: list[str]) -> list[str]:
    """Lines that compute an address from a pointer to bytes that is declared in them, or from such a member."""
    names = {match[1] for line in lines for match in DECLARED.finditer(line)}
    own = rf"(?<![\w.])(?:{'|'.join(sorted(names))})" if names else r"(?!)"
    word = rf"(?:{own}|(?<!\w)(?:\w+\.)+(?:{'|'.join(sorted(MEMBERS))}))"
    steps = re.compile(rf"{word}\s*[+-](?!>)|(?<![\w)\]])\w+\s*[+-]\s*{word}\b(?![.\[(])|&{word}\[(?!0\])")
    return [line.strip() for line in lines if steps.search(line) and not line.startswith(("cdef ", "cpdef ", "def "))]


@pytest.mark.parametrize("path", native_files(), ids=lambda path: path.name)
def test_bytes_from_outside_are_read_through_the_cursor(path: Path) -> None:
    lines = code_of(path)
    if path.name != THE_DOOR and path.name not in OWN_ROOM:
        assert not moved(lines)
        assert path.name in CASTS or not [line for line in lines if CAST.search(line)]


def test_every_exception_is_still_one() -> None:
    files = {path.name: code_of(path) for path in native_files()}
    assert OWN_ROOM.keys() | CASTS.keys() <= files.keys() and not OWN_ROOM.keys() & CASTS.keys()
    assert [name for name in OWN_ROOM if not moved(files[name])] == []
    assert [name for name in CASTS if not any(map(CAST.search, files[name]))] == []


@pytest.mark.parametrize(
    "line",
    [
        "    x = le16(data + 4)",
        "    x = le16(4 + data)",
        "    data += 1",
        "    memcpy(out, &data[at], 4)",
        "    x = walker.value - walker.cursor.data",
    ],
)
def test_the_wall_is_seen(line: str) -> None:
    assert moved(["cdef int f(const uint8_t* data):", line])
    harmless = ["    x = data[at + 1]", "    end = at + length", "    y = &data[0]", "    n = data_count + 1"]
    assert not moved(["cdef int f(const uint8_t* data):", *harmless])
