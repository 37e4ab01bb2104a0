"""A data set in another plain syntax, as a stream of pieces (PS3.5 A.1-A.3 and A.5); values are copied, never read."""

import zlib
from array import array
from collections.abc import Iterator, Mapping
from typing import Literal

from native.dataset import Malformed
from native.reencode import PIXELS, Reencoder
from protocols.codecs.syntaxes import DEFLATED
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.source import Source

_ARRAY_OF_WORDS = {2: "H", 4: "I", 8: "Q"}


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
            yield from copied(source, *piece, piece_bytes)


def copied(source: Source, offset: int, length: int, word: int, piece_bytes: int) -> Iterator[bytes]:
    """A part of the source, the bytes of its words turned round if need be."""
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


def read_turned(source: Source, span: tuple[int, int], words: tuple[int, int]) -> bytes:
    """A native frame out of big endian words: of 8-bit samples it may begin or end within one (PS3.5 D)."""
    begin, end = words[0], words[0] + words[1]
    first = span[0] - (span[0] - begin) % 2
    last = min(end, span[0] + span[1] + 1)
    return turned(source.read(first, last - first), 2)[span[0] - first :][: span[1]]


def gathered(pieces: Iterator[bytes | None], bytes_min: int) -> tuple[bytes, Literal["more", "hole", "end"]]:
    """The next pieces, as many as give ``bytes_min``, and what comes behind them."""
    parts: list[bytes] = []
    count = 0
    for piece in pieces:
        if piece is None:
            return b"".join(parts), "hole"
        parts.append(piece)
        count += len(piece)
        if count >= bytes_min:
            return b"".join(parts), "more"
    return b"".join(parts), "end"


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
