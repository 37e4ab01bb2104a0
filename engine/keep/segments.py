"""The segments of one intake as files: made ahead of need, mapped for readers, pinned while read, used again."""

import logging
import mmap
import os
from typing import Final

import msgspec

from engine.clock import Identifiers
from engine.errors import Corrupt
from engine.keep.intake_format import Checkpoint
from engine.keep.node_directory import NodeDirectory
from engine.limits import Limits
from native.segment import Entry, Log, scan

log = logging.getLogger("filmroom.intake")

# 36 bits of chance leave 28 for the count: more rounds of 64 MiB than any disk lives.
GENERATION_CHANCE_BITS: Final = 36


class Segment(msgspec.Struct):
    """One open segment. ``recovered_to``: highest LSN found in it at the start; -1 once the log fills it."""

    fd: int
    generation: int
    mapped: mmap.mmap
    pins: int = 0
    recovered_to: int = 0


class Segments:
    """Guarded by the intake's lock, except ``make``, which is slow and changes only the node directory."""

    def __init__(self, node: NodeDirectory, limits: Limits, count_max: int) -> None:
        self._node = node
        self._bytes = limits.segment_bytes
        self._count_max = count_max
        self._open: dict[int, Segment] = {}
        self.generation = 0

    def recover(self, checkpoint: Checkpoint) -> list[Entry]:
        """Open, sync and scan every segment there is. After kill -9 their tail may stand in the page cache alone.

        Raises Corrupt for one that is not whole: it was before its first use."""
        found: list[Entry] = []
        self.generation = checkpoint.generation
        for number in self._node.segments():
            fd = self._node.open_segment(number)
            if os.fstat(fd).st_size < self._bytes:
                os.close(fd)
                raise Corrupt(f"segment {number} of the intake is cut short")
            os.fdatasync(fd)
            generation = checkpoint.segments.get(number, 0)
            self._open[number] = Segment(fd, generation, mmap.mmap(fd, self._bytes, prot=mmap.PROT_READ))
            entries = self._scanned(fd, number, generation) if generation else []
            self._open[number].recovered_to = max((entry.lsn for entry in entries), default=0)
            found += entries
        return found

    def _scanned(self, fd: int, number: int, generation: int) -> list[Entry]:
        found = scan(fd, number, generation, self._bytes)
        if found.torn:
            log.warning("a record of the intake is torn or damaged, and is not taken", extra={"segment": number})
        return found.entries

    def idle(self, lsn: int) -> list[int]:
        """Segments of earlier runs that hold nothing above ``lsn`` and that nobody reads."""
        return [n for n, s in self._open.items() if s.recovered_to >= 0 and s.recovered_to <= lsn and not s.pins]

    def is_pinned(self, number: int) -> bool:
        return self._open[number].pins > 0

    def may_grow(self) -> bool:
        return len(self._open) < self._count_max

    def make(self) -> tuple[int, Segment]:
        """A new segment file, for ``adopt``; one thread at a time. Raises Unavailable."""
        number = max([0, *self._open]) + 1
        fd = self._node.make_segment(number, self._bytes)
        return number, Segment(fd, 0, mmap.mmap(fd, self._bytes, prot=mmap.PROT_READ))

    def adopt(self, number: int, segment: Segment) -> int:
        """Take a new segment in; not used before ``renew``. Its number."""
        self._open[number] = segment
        return number

    def renew(self, number: int) -> None:
        """Give a segment its next generation; the checkpoint file must say so before ``hand_to``.

        A count above, chance below: old bytes stay in the segment, and a sender who could guess the next generation
        could have put records of it into a file.
        """
        chance = int(Identifiers().random_id(), 16) & ((1 << GENERATION_CHANCE_BITS) - 1)
        self.generation = ((self.generation >> GENERATION_CHANCE_BITS) + 1) << GENERATION_CHANCE_BITS | chance
        self._open[number].generation = self.generation

    def let_go(self) -> None:
        """Unmap what was read, so that it no longer counts as this process's memory; views stay good."""
        for segment in self._open.values():
            segment.mapped.madvise(mmap.MADV_DONTNEED)

    def hand_to(self, log: Log, number: int) -> None:
        segment = self._open[number]
        segment.recovered_to = -1
        log.add_segment(segment.fd, number, segment.generation, self._bytes)

    def generations(self) -> dict[int, int]:
        return {number: segment.generation for number, segment in self._open.items() if segment.generation}

    def view(self, entry: Entry) -> memoryview:
        """The payload of a record, mapped."""
        mapped = memoryview(self._open[entry.segment].mapped)
        return mapped[entry.payload_offset : entry.payload_offset + entry.payload_length]

    def context(self, entry: Entry) -> bytes:
        if entry.context is not None:
            return entry.context
        start = entry.payload_offset - entry.context_length
        return bytes(self._open[entry.segment].mapped[start : entry.payload_offset])

    def pin(self, number: int) -> int:
        self._open[number].pins += 1
        return self._open[number].fd

    def unpin_fd(self, fd: int) -> None:
        for segment in self._open.values():
            if segment.fd == fd:
                segment.pins -= 1

    def trim(self, count: int) -> None:
        """Remove all but ``count`` segments. Nothing that any of them holds may be needed."""
        for number in sorted(self._open)[count:]:
            os.close(self._open.pop(number).fd)
            self._node.remove_segment(number)

    def close(self) -> None:
        for segment in self._open.values():
            os.close(segment.fd)
