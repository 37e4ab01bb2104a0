"""The stored data set as the transcoder sees it: bytes to walk, and to copy pieces of, in memory or in a file."""

import mmap
import os
import zlib
from collections.abc import Callable

from engine import read_range
from engine.model import FileRange
from native.dataset import INFLATED_BYTES_MAX, INFLATED_RATIO_MAX
from protocols.codecs.syntaxes import DEFLATED, EXPLICIT_LITTLE
from protocols.transcode.refusal import Untranscodable

INFLATED_BYTES_FREE = 8 << 20


Read = Callable[[int, int], bytes]


class Source:
    """A data set that begins ``dataset_offset`` bytes into ``source``; a deflated one is inflated under a ceiling.

    ``view`` is for walking: of a file it is a mapping, of which only the pages of element headers are touched. Values
    are read with ``read``. ``file``: where it stands; None when it is in memory. ``transfer_syntax_uid`` says the plain
    or encapsulated syntax of the view, ``stored_uid`` that of the object.
    """

    def __init__(
        self,
        source: FileRange | bytes,
        dataset_offset: int,
        transfer_syntax_uid: str,
        checked: Read | None = None,
    ) -> None:
        """``checked`` gives ranges (offset, length) of the source itself that are what was written, or raises."""
        self.file: FileRange | None = None
        self._held: memoryview | None = None
        self._checked = checked
        self._offset = dataset_offset
        if isinstance(source, FileRange):
            self.file = FileRange(source.fd, source.offset + dataset_offset, source.length - dataset_offset)
        else:
            self._held = memoryview(source)[dataset_offset:]
        self.transfer_syntax_uid = self.stored_uid = transfer_syntax_uid
        if transfer_syntax_uid == DEFLATED:
            self._held = memoryview(inflated(self._whole()))
            self.file = self._checked = None
            self.transfer_syntax_uid = EXPLICIT_LITTLE

    def _whole(self) -> memoryview:
        view = self.view
        return view if self._checked is None else memoryview(self._checked(self._offset, len(view)))

    @property
    def view(self) -> memoryview:
        """The whole data set. A mapping is made anew each time, and lives (with a descriptor) as long as its view."""
        if self._held is not None:
            return self._held
        assert self.file is not None
        return _mapped(self.file)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the data set; raises Untranscodable when the file ends before them, and what ``checked`` raises."""
        if self._checked is not None:
            return self._checked(self._offset + offset, length)
        if self.file is None:
            return bytes(self.view[offset : offset + length])
        data = read_range(self.file.fd, self.file.offset + offset, length)
        if len(data) < length:
            raise Untranscodable("the object is shorter than its record says")
        return data


def _mapped(source: FileRange) -> memoryview:
    """The mapping lives as long as the view of it."""
    if not source.length:
        return memoryview(b"")
    start = source.offset - source.offset % mmap.ALLOCATIONGRANULARITY
    skipped = source.offset - start
    if os.fstat(source.fd).st_size < source.offset + source.length:
        raise Untranscodable("the object is shorter than its record says")
    mapping = mmap.mmap(source.fd, skipped + source.length, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ, offset=start)
    return memoryview(mapping)[skipped:]


def inflated(deflated: memoryview) -> bytes:
    """PS3.5 A.5, under the ceiling of bytes and ratio that holds when objects are received (H26)."""
    ceiling = min(INFLATED_BYTES_MAX, max(len(deflated) * INFLATED_RATIO_MAX, INFLATED_BYTES_FREE))
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = stream.decompress(deflated, ceiling + 1)
    except zlib.error as error:
        raise Untranscodable("the deflated data set cannot be inflated") from error
    if len(plain) > ceiling:
        raise Untranscodable("the deflated data set inflates beyond the limit")
    if not stream.eof:
        raise Untranscodable("the deflated data set is cut")
    return plain
