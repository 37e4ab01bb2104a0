"""A ZIP file as it is written, member by member, nothing compressed (PKWARE's application note 6.3). Pure: it gives the
bytes that belong between the members' own.

A member whose CRC-32 is known beforehand has it in its head; behind another stands a descriptor. Past 4 GiB or 65,535
members the file is a ZIP64. Members are dated 1980-01-01: they have no moment of their own.
"""

from struct import Struct
from typing import Final

LOCAL: Final = Struct("<4sHHHHHIIIHH")
CENTRAL: Final = Struct("<4sHHHHHHIIIHHHHHII")
END: Final = Struct("<4sHHHHIIH")
END_64: Final = Struct("<4sQHHIIQQQQ")
LOCATOR_64: Final = Struct("<4sIQI")
VERSION: Final = 20
VERSION_64: Final = 45
UNIX: Final = 3 << 8
READABLE: Final = 0o100644 << 16
CRC_BEHIND: Final = 1 << 3
DAY: Final = 1 << 5 | 1
MEMBERS_MAX: Final = 0xFFFF
BYTES_MAX: Final = 0xFFFFFFFF  # of what is no ZIP64


class ZipFile:
    """One file. ``length``: of what was written, members included."""

    def __init__(self) -> None:
        self.length = 0
        self._central: list[bytes] = []
        self._open: tuple[bytes, int, int] | None = None  # name, size, offset of the member that waits for its CRC

    def head(self, name: str, size: int, crc: int | None = None) -> bytes:
        """What stands before a member of ``size`` bytes; without a CRC-32 ``tail`` comes behind it."""
        raw, is_large, offset = name.encode("ascii"), size >= BYTES_MAX, self.length
        sizes = 0 if crc is None else size
        extra = _extra(sizes, sizes) if is_large else b""
        field = BYTES_MAX if is_large else sizes
        version, flags = VERSION_64 if is_large else VERSION, CRC_BEHIND if crc is None else 0
        head = LOCAL.pack(b"PK\3\4", version, flags, 0, 0, DAY, crc or 0, field, field, len(raw), len(extra))
        self.length += len(head) + len(raw) + len(extra) + size
        if crc is None:
            self._open = (raw, size, offset)
        else:
            self._list(raw, size, offset, crc, 0)
        return head + raw + extra

    def tail(self, crc: int) -> bytes:
        """What stands behind a member whose CRC-32 its head did not have."""
        assert self._open is not None, "no member waits for its CRC-32"
        (raw, size, offset), self._open = self._open, None
        self._list(raw, size, offset, crc, CRC_BEHIND)
        width = "Q" if size >= BYTES_MAX else "I"
        tail = Struct(f"<4sI{width}{width}").pack(b"PK\7\x08", crc, size, size)
        self.length += len(tail)
        return tail

    def end(self) -> bytes:
        """The directory of members, which ends the file."""
        directory, count, begin = b"".join(self._central), len(self._central), self.length
        end_64 = b""
        if count >= MEMBERS_MAX or begin + len(directory) >= BYTES_MAX:
            made = UNIX | VERSION_64
            end_64 = END_64.pack(b"PK\6\6", 44, made, VERSION_64, 0, 0, count, count, len(directory), begin)
            end_64 += LOCATOR_64.pack(b"PK\6\7", 0, begin + len(directory), 1)
        members, at = min(count, MEMBERS_MAX), min(begin, BYTES_MAX)
        end = END.pack(b"PK\5\6", 0, 0, members, members, min(len(directory), BYTES_MAX), at, 0)
        self.length += len(directory) + len(end_64) + len(end)
        return directory + end_64 + end

    def _list(self, raw: bytes, size: int, offset: int, crc: int, flags: int) -> None:
        large = (*((size, size) if size >= BYTES_MAX else ()), *((offset,) if offset >= BYTES_MAX else ()))
        extra = _extra(*large) if large else b""
        version, field = VERSION_64 if large else VERSION, min(size, BYTES_MAX)
        kept = (b"PK\1\2", UNIX | version, version, flags, 0, 0, DAY, crc, field, field, len(raw), len(extra))
        self._central.append(CENTRAL.pack(*kept, 0, 0, 0, READABLE, min(offset, BYTES_MAX)) + raw + extra)


def _extra(*values: int) -> bytes:
    """What does not fit into 4 bytes (4.5.3)."""
    return Struct(f"<HH{len(values)}Q").pack(1, 8 * len(values), *values)
