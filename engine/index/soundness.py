"""Whether a settled index is what was written. Nobody else asks: tantivy maps its files and believes them.

Each of its files ends with a footer: JSON that holds the CRC-32 of what stands before, its length, a magic number.
``meta.json`` has no checksum. What a flipped bit in it could do without an error is closed in three ways: fields are
known and none lacks (a segment without its ``deletes`` would show what was deleted); files that it names are there;
documents that it counts are those in the file of deletes (their number, and a bit for each that lives), and those that
the terms of ``level`` count (``shard``).
"""

import mmap
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from struct import Struct
from typing import Final

import msgspec

from engine.errors import Corrupt

META: Final = "meta.json"
FOOTER_MAGIC: Final = 1337
FOOTER_BYTES_MAX: Final = 4096
THREADS_COUNT: Final = 4  # a start waits for this
CRC_BYTES: Final = 4 << 20  # at a time: what is mapped counts as our memory
_END: Final = Struct("<II")
_NUMBER: Final = Struct("<I")


class _Deletes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    num_deleted_docs: int
    opstamp: int


class _Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    segment_id: str
    max_doc: int
    deletes: _Deletes | None

    @property
    def name(self) -> str:
        """Of its files, without their endings."""
        return self.segment_id.replace("-", "")

    @property
    def deletes_name(self) -> str:
        return f"{self.name}.{self.deletes.opstamp}.del" if self.deletes else ""


class _Meta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    index_settings: msgspec.Raw
    segments: list[_Segment]
    schema: msgspec.Raw
    opstamp: int


class _Footer(msgspec.Struct, frozen=True):
    crc: int


def check_files(directory: Path) -> None:
    """Re-reads every file that the index relies on. Raises Corrupt."""
    meta = directory / META
    if not meta.exists():
        return  # made, and never committed to
    segments = _segments(meta.read_bytes())
    # Deletes of another commit, and segments that no commit names, are leftovers of one who was killed.
    files = [
        path
        for path in directory.iterdir()
        if (segment := segments.get(path.name.partition(".")[0])) is not None
        and (path.suffix != ".del" or path.name == segment.deletes_name)
    ]
    with ThreadPoolExecutor(THREADS_COUNT) as threads:
        list(threads.map(_check_file, files))
    for segment in segments.values():
        if segment.deletes is not None:
            _check_deletes(directory / segment.deletes_name, segment.max_doc, segment.deletes.num_deleted_docs)


def _segments(meta: bytes) -> dict[str, _Segment]:
    try:
        segments = msgspec.json.decode(meta, type=_Meta).segments
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Corrupt("the index's list of segments cannot be read") from error
    return {segment.name: segment for segment in segments}


def _check_deletes(path: Path, document_count: int, deleted_count: int) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Corrupt("a file of the index cannot be read") from error
    words = data[_NUMBER.size : _NUMBER.size + (document_count + 63) // 64 * 8]
    living = int.from_bytes(words, "little").bit_count()
    if _NUMBER.unpack_from(data)[0] != document_count or living != document_count - deleted_count:
        raise Corrupt("the index has other documents than it says")


def _check_file(path: Path) -> None:
    if path.stat().st_size < _END.size:
        raise Corrupt("a file of the index is cut short")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        footer_bytes, magic = _END.unpack_from(mapped, len(mapped) - _END.size)
        body_bytes = len(mapped) - _END.size - footer_bytes
        if magic != FOOTER_MAGIC or footer_bytes > FOOTER_BYTES_MAX or body_bytes < 0:
            raise Corrupt("a file of the index does not end as it should")
        try:
            footer = msgspec.json.decode(mapped[body_bytes : body_bytes + footer_bytes], type=_Footer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Corrupt("a file of the index does not end as it should") from error
        if _crc(mapped, body_bytes) != footer.crc:
            raise Corrupt("a file of the index is not what was written")


def _crc(mapped: mmap.mmap, length: int) -> int:
    found = 0
    with memoryview(mapped) as view:
        for at in range(0, length, CRC_BYTES):
            with view[at : min(at + CRC_BYTES, length)] as piece:
                found = zlib.crc32(piece, found)
            mapped.madvise(mmap.MADV_DONTNEED)
    return found
