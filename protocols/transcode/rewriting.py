"""A data set in another plain syntax, as a stream of pieces (PS3.5 A.1-A.3 and A.5); values are copied, never read."""

import zlib
from array import array
from collections.abc import Iterator, Mapping

from engine.model import FileRange
from native.dataset import Malformed
from native.reencode import PIXELS, Reencoder
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.source import Source
from protocols.transcode.syntaxes import DEFLATED

_ARRAY_OF_WORDS = {2: "H", 4: "I", 8: "Q"}


def rewritten(
    source: FileRange | bytes, dataset_offset: int, stored_uid: str, target_uid: str, piece_bytes: int
) -> Iterator[bytes]:
    """A plain data set in another plain syntax, or anything as it is. Blocking; nothing is done before the first piece.
    Raises Untranscodable, before any piece unless the source turns out shorter than it said."""
    if stored_uid == target_uid:
        as_it_is = Source(source, dataset_offset, "")
        yield from _copied(as_it_is, 0, len(as_it_is.view), 1, piece_bytes)
        return
    opened = Source(source, dataset_offset, stored_uid)
    deflating = Deflating(target_uid)
    for piece in pieces(opened, reencoder(opened, target_uid), piece_bytes):
        if piece:
            yield deflating.pass_on(piece)
    yield deflating.end()


def gathered(pieces: Iterator[bytes], bytes_min: int) -> bytes:
    """The next pieces, as many as give ``bytes_min``; empty at the end."""
    parts: list[bytes] = []
    count = 0
    for piece in pieces:
        parts.append(piece)
        count += len(piece)
        if count >= bytes_min:
            break
    return b"".join(parts)


def reencoder(
    source: Source, target_uid: str, edits: Mapping[int, bytes | None] | None = None, *, hole: bool = False
) -> Reencoder:
    """The walk is done when this returns. Raises Untranscodable."""
    try:
        return Reencoder(source.view, source.transfer_syntax_uid, target_uid, edits, hole)
    except Malformed as error:
        raise Untranscodable(str(error)) from error


def pieces(source: Source, walk: Reencoder, piece_bytes: int) -> Iterator[bytes | None]:
    """The data set in pieces of about ``piece_bytes``; None where the new Pixel Data element belongs."""
    for piece in walk:
        if isinstance(piece, bytes):
            yield piece
        elif piece == PIXELS:
            yield None
        else:
            yield from _copied(source, *piece, piece_bytes)


def _copied(source: Source, offset: int, length: int, word: int, piece_bytes: int) -> Iterator[bytes]:
    """A value of the source, the bytes of its words turned round if need be."""
    end = offset + length
    while offset < end:
        data = source.read(offset, min(piece_bytes, end - offset))
        offset += len(data)
        yield turned(data, word) if word > 1 else data


def turned(data: bytes, word: int) -> bytes:
    """The bytes of each whole word in the other order."""
    whole = len(data) - len(data) % word
    words = array(_ARRAY_OF_WORDS[word], data[:whole])
    words.byteswap()
    return words.tobytes() + data[whole:]


class Deflating:
    """What is written as Explicit VR Little Endian, deflated on the way out, padded to even length (PS3.5 A.5)."""

    def __init__(self, target_uid: str) -> None:
        self._stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS) if target_uid == DEFLATED else None
        self._count = 0

    def pass_on(self, piece: bytes) -> bytes:
        """A piece on its way; as it is when the target is not deflated."""
        if self._stream is None:
            return piece
        folded = self._stream.compress(piece)
        self._count += len(folded)
        return folded

    def end(self) -> bytes:
        """What is still to come."""
        if self._stream is None:
            return b""
        folded = self._stream.flush()
        return folded + b"\0" * ((self._count + len(folded)) % 2)
