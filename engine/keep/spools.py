"""Files beside the segments that hold large instances until they are spilled: opened when asked for, pinned while read,
removed with the record that names them."""

import errno
import mmap
import os
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from engine.errors import Corrupt, Unavailable
from engine.keep.intake_format import Spooled
from engine.keep.node_directory import NodeDirectory
from engine.keep.segments import Segments
from engine.model import FileRange
from native.segment import Entry

# A mapping holds a descriptor, and a full intake has hundreds of files: the last ones used stay mapped.
MAPPED_COUNT_MAX: Final = 16
_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Spools:
    """Guarded by the intake's lock."""

    def __init__(self, node: NodeDirectory, segments: Segments) -> None:
        self._node = node
        self._segments = segments
        self._named: dict[int, Spooled] = {}
        self._mapped: OrderedDict[int, mmap.mmap] = OrderedDict()
        self._pins: dict[int, int] = {}

    def recover(self, entries: Sequence[Entry]) -> None:
        """Find the file of each recovered record, and remove the others, which were never acknowledged. Raises Corrupt
        when one is missing."""
        for entry in entries:
            self.mapped(entry)
        wanted = {self.named(entry).name for entry in entries}
        for name in set(self._node.spooled()) - wanted:
            self._node.remove_spooled(name)

    def named(self, entry: Entry) -> Spooled:
        """What a record says of its file."""
        known = self._named.get(entry.lsn)
        if known is None:
            known = self._named[entry.lsn] = msgspec.msgpack.decode(self._segments.view(entry), type=Spooled)
        return known

    def mapped(self, entry: Entry) -> mmap.mmap:
        """The bytes of a record's file; as long as somebody looks at them. Raises Corrupt when it is not what was
        written, Unavailable while this process has no descriptor or memory for it."""
        mapping = self._mapped.get(entry.lsn)
        if mapping is None:
            named = self.named(entry)
            fd = self._opened(entry)
            try:
                mapping = mmap.mmap(fd, named.length, prot=mmap.PROT_READ)
            except (OSError, ValueError) as error:
                raise _refused(entry, error) from error
            finally:
                os.close(fd)
            self._mapped[entry.lsn] = mapping
            while len(self._mapped) > MAPPED_COUNT_MAX:
                self._mapped.popitem(last=False)
        self._mapped.move_to_end(entry.lsn)
        return mapping

    def pin(self, entry: Entry) -> FileRange:
        """Lend the file, until ``unpin``. Raises as ``mapped``."""
        lent = FileRange(self._opened(entry), 0, self.named(entry).length)
        self._pins[entry.lsn] = self._pins.get(entry.lsn, 0) + 1
        return lent

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
        self._node.remove_spooled(self.named(entry).name)
        del self._named[entry.lsn]
        self._mapped.pop(entry.lsn, None)

    def _opened(self, entry: Entry) -> int:
        try:
            return self._node.open_spooled(self.named(entry).name)
        except OSError as error:
            raise _refused(entry, error) from error


def _refused(entry: Entry, error: OSError | ValueError) -> Corrupt | Unavailable:
    if isinstance(error, OSError) and error.errno in _SHORT:
        return Unavailable(f"a spool file cannot be read: {os.strerror(error.errno)}")
    return Corrupt(f"the spool file of record {entry.lsn} is not what was written")
