"""Ranges of an object's bytes: whole chunks are read and checked before a byte of them is given (PS3.18 10.4.1.1.6)."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from blake3 import blake3

from engine.errors import Corrupt
from engine.fetch import ADDRESS_DIGITS, Fetched
from engine.keep.content_digest import CHUNK_BYTES, Examination, Proof
from engine.keep.copying import read_range
from engine.limits import LIMITS
from engine.model import FileRange, Layout

_CHUNKS_HELD_BYTES_MAX: Final = 32 << 20


class Chunks:
    """Checked chunks that were asked for in part, for who asks for the rest. Any thread."""

    def __init__(self, bytes_max: int = _CHUNKS_HELD_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._held: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._held_bytes = 0
        self._lock = threading.Lock()

    def get(self, key: str, number: int) -> bytes | None:
        """A chunk of an object."""
        with self._lock:
            chunk = self._held.get((key, number))
            if chunk is not None:
                self._held.move_to_end((key, number))
            return chunk

    def put(self, key: str, number: int, chunk: bytes) -> None:
        """Hold it for a while."""
        with self._lock:
            if (key, number) not in self._held:
                self._held[key, number] = chunk
                self._held_bytes += len(chunk)
            while self._held_bytes > self._bytes_max:
                _, gone = self._held.popitem(last=False)
                self._held_bytes -= len(gone)


class Ranged:
    """One open object. ``frames``: its frame table (``native.dataset.frame_table``), empty when it is not known."""

    def __init__(self, fetched: Fetched, layout: Layout | None, held: Chunks) -> None:
        """Reads the whole object once when nothing proves its chunks. Blocking then. Raises Corrupt."""
        self._source = fetched.source
        self._key = fetched.instance.key
        self._held = held
        self.size_bytes = fetched.instance.size_bytes
        self.frames = fetched.instance.frames or (layout.frames if layout else b"")
        self._proof = _proof_of(fetched, layout)

    @property
    def held_bytes(self) -> int:
        """Memory that it takes, about."""
        return 500 + len(self.frames) + len(self._proof.chunks)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the object. Blocking. Raises Corrupt when they are not what was written."""
        return self._joined(offset, length, self._chunk)

    def read_at_once(self, offset: int, length: int) -> bytes | None:
        """The same of chunks that are held; None when it would have to read. Never blocks."""
        numbers = _numbers(offset, length)
        found = {number: chunk for number in numbers if (chunk := self._held.get(self._key, number)) is not None}
        return self._joined(offset, length, lambda number, _: found[number]) if len(found) == len(numbers) else None

    def check(self, offset: int, length: int) -> None:
        """Raises Corrupt as ``read``. Blocking."""
        for number in _numbers(offset, length):
            self._chunk(number, is_whole=False)

    def _joined(self, offset: int, length: int, chunk_of: "ChunkOf") -> bytes:
        if offset < 0 or offset + length > self.size_bytes:
            raise Corrupt("an object is shorter than its record says")
        parts = []
        for number in _numbers(offset, length):
            begin = number * CHUNK_BYTES
            end = min(CHUNK_BYTES, self.size_bytes - begin)
            first, last = max(offset - begin, 0), min(offset + length - begin, end)
            chunk = chunk_of(number, (first, last) == (0, end))
            parts.append(chunk if len(chunk) == last - first else memoryview(chunk)[first:last])
        return parts[0] if len(parts) == 1 and isinstance(parts[0], bytes) else b"".join(parts)

    def _chunk(self, number: int, is_whole: bool) -> bytes:
        chunk = self._held.get(self._key, number)
        if chunk is None:
            chunk = self._read_chunk(number)
            if blake3(chunk).digest() != self._proof.chunk(number):
                raise Corrupt("an object is not what was written")
            if not is_whole:
                self._held.put(self._key, number, chunk)
        return chunk

    def _read_chunk(self, number: int) -> bytes:
        begin = number * CHUNK_BYTES
        return _read(self._source, begin, min(CHUNK_BYTES, self.size_bytes - begin))


ChunkOf = Callable[[int, bool], bytes]


def _numbers(offset: int, length: int) -> range:
    """The chunks that a range touches."""
    return range(offset // CHUNK_BYTES, (offset + length - 1) // CHUNK_BYTES + 1) if length else range(0)


def _proof_of(fetched: Fetched, layout: Layout | None) -> Proof:
    root, size_bytes = fetched.instance.blake3_root, fetched.instance.size_bytes
    if root and size_bytes <= CHUNK_BYTES:
        return Proof(root)
    if root and layout is not None and blake3(layout.chunks).digest() == root:
        return Proof(root, layout.chunks)
    return _examined(fetched)


def _examined(fetched: Fetched) -> Proof:
    examination = Examination()
    for at in range(0, fetched.instance.size_bytes, LIMITS.read_bytes):
        examination.add(_read(fetched.source, at, min(LIMITS.read_bytes, fetched.instance.size_bytes - at)))
    if examination.address != fetched.instance.key[:ADDRESS_DIGITS]:
        raise Corrupt("an object is not what was written")
    return examination.proof


def _read(source: FileRange | bytes, offset: int, length: int) -> bytes:
    """Fewer bytes only where the object ends too early."""
    if isinstance(source, bytes):
        return source[offset : offset + length]
    try:
        return read_range(source.fd, source.offset + offset, min(length, max(0, source.length - offset)))
    except OSError as error:
        raise Corrupt("an object cannot be read") from error
