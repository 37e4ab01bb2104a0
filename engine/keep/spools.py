"""Files beside the segments that hold large instances until they are spilled: opened when first asked for, pinned while
read, removed with the record that names them."""

import mmap
import os

import msgspec

from engine.errors import Corrupt
from engine.keep.intake_format import Spooled
from engine.keep.node_directory import NodeDirectory
from engine.keep.segments import Segments
from engine.model import FileRange
from native.segment import Entry


class Spool(msgspec.Struct, frozen=True):
    """One open file."""

    named: Spooled
    fd: int
    mapped: mmap.mmap


class Spools:
    """Guarded by the intake's lock."""

    def __init__(self, node: NodeDirectory, segments: Segments) -> None:
        self._node = node
        self._segments = segments
        self._open: dict[int, Spool] = {}
        self._pins: dict[int, int] = {}

    def of(self, entry: Entry) -> Spool:
        """The file that a record names. Raises Corrupt when it is not what was written."""
        if entry.lsn not in self._open:
            named = msgspec.msgpack.decode(self._segments.view(entry), type=Spooled)
            try:
                fd = self._node.open_spooled(named.name)
                mapped = mmap.mmap(fd, named.length, prot=mmap.PROT_READ)
            except (OSError, ValueError) as error:
                raise Corrupt(f"the spool file of record {entry.lsn} is not what was written") from error
            self._open[entry.lsn] = Spool(named, fd, mapped)
        return self._open[entry.lsn]

    def pin(self, entry: Entry) -> FileRange:
        """Lend the file, until ``unpin``."""
        spool = self.of(entry)
        self._pins[entry.lsn] = self._pins.get(entry.lsn, 0) + 1
        return FileRange(os.dup(spool.fd), 0, spool.named.length)

    def unpin(self, lsn: int, source: FileRange) -> bool:
        """Take back what was lent; False: it is no spool file."""
        if lsn not in self._pins:
            return False
        os.close(source.fd)
        self._pins[lsn] -= 1
        if not self._pins[lsn]:
            del self._pins[lsn]
        return True

    def forget(self, entry: Entry) -> None:
        """Remove the file: its object is durable."""
        spool = self.of(entry)
        del self._open[entry.lsn]
        self._node.remove_spooled(spool.named.name)
        os.close(spool.fd)

    def keep_only(self, named: set[str]) -> None:
        """Remove the others: files that no recovered record names were never acknowledged."""
        for name in set(self._node.spooled()) - named:
            self._node.remove_spooled(name)

    def close(self) -> None:
        for spool in self._open.values():
            os.close(spool.fd)
