"""Native pictures that are drawn and never turned into another syntax: of bits, of floating point, of halved chroma."""

import msgspec

from engine.errors import Missing
from native.dataset import frame_at, frame_count
from native.pixels import Pixels
from protocols.codecs.picture import BITS_ALLOCATED, Picture, unusual_picture_of
from protocols.codecs.syntaxes import EXPLICIT_BIG
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.rewriting import read_turned, turned
from protocols.transcode.source import Source


class Unusual(msgspec.Struct, frozen=True):
    """One: what it is, and its frame table. ``words``: where big endian words of pixels stand; ``number_bytes``: of big
    endian numbers of floating point."""

    picture: Picture
    table: bytes
    words: tuple[int, int] | None = None
    number_bytes: int = 1

    def frame(self, source: Source, number: int) -> bytes:
        """A frame by its number from 1; the first bit of one of bits is the lowest. Blocking. Raises Missing."""
        if not 0 < number <= frame_count(self.table):
            raise Missing("there is no such frame")
        bits, first, ((offset, length),) = frame_at(self.table, number - 1)
        if self.words is not None:
            data = read_turned(source, (offset, length), self.words)
        else:
            data = source.read(offset, length)
        if self.number_bytes > 1:
            return turned(data, self.number_bytes)
        return shifted(data, bits, first) if bits else data


def unusual_of(found: Pixels, source: Source, frame_bytes_max: int) -> Unusual | None:
    """None for all others. Raises Unreadable, Untranscodable."""
    is_float = found.native is None and found.fragments is None and bool(found.frames)
    if found.fragments is not None or len(found.values.get(BITS_ALLOCATED, b"")) != 2:
        return None
    picture = unusual_picture_of(found.values, frame_bytes_max, is_float=is_float)
    if picture is None:
        return None
    if not found.frames:
        raise Untranscodable("Pixel Data is shorter than its frames")
    if source.transfer_syntax_uid != EXPLICIT_BIG:
        return Unusual(picture, found.frames)
    if is_float:
        return Unusual(picture, found.frames, number_bytes=picture.sample_bytes)
    return Unusual(picture, found.frames, big_endian_words(found))


def big_endian_words(found: Pixels) -> tuple[int, int] | None:
    """Where words stand the other way round in a big endian data set (PS3.5 D)."""
    return found.native[:2] if found.native is not None and found.native[2] == "OW" else None


def shifted(data: bytes, bits: int, first: int) -> bytes:
    """Frames of bits follow each other without a gap (PS3.5 8.1.1): the first bit of this one becomes the lowest."""
    number = (int.from_bytes(data, "little") >> first) & ((1 << bits) - 1)
    return number.to_bytes((bits + 7) // 8, "little")
