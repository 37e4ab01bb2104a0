"""Pixel Data in another transfer syntax: what changes in the header, and frame by frame the new element."""

from collections.abc import AsyncGenerator

import msgspec
import trio

from engine.errors import FilmroomError
from native import rle
from native.dataset import Malformed, frame_table
from native.pixels import Pixels, look
from protocols.codecs import codestream, colour, picture, syntaxes
from protocols.codecs.codestream import Codestream
from protocols.codecs.picture import Picture
from protocols.codecs.unreadable import Unreadable
from protocols.transcode.pool import Pool
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.rewriting import read_turned
from protocols.transcode.settings import TranscodeSettings
from protocols.transcode.source import Source
from protocols.transcode.unusual import Unusual, big_endian_words, unusual_of

UNDEFINED = 0xFFFFFFFF
FOLDED_BYTES_FREE = 1 << 20
NATIVE_BYTES_MAX = 0xFFFFFFFE
ITEM = b"\xfe\xff\x00\xe0"
END = b"\xfe\xff\xdd\xe0\0\0\0\0"

Spans = list[tuple[int, int]]


class Plan(msgspec.Struct, frozen=True):
    """How the frames of one data set become those of another.

    ``frames``: the spans of each in the source; ``words``: where big endian words stand; ``edits``: the new header.
    """

    picture: Picture
    frames: list[Spans]
    words: tuple[int, int] | None
    stored_uid: str
    target_uid: str
    native_photometric: str
    encodes: bool
    edits: dict[int, bytes | None]

    @property
    def is_decoded_apart(self) -> bool:
        """Whether frames are unfolded by a decoder, in a process of its own."""
        return self.stored_uid in syntaxes.BY_EXTRA

    @property
    def native_picture(self) -> Picture:
        """The frames once they are unfolded: with interleaved samples, but for those that were native already."""
        keeps_planes = self.stored_uid in syntaxes.PLAIN or self.stored_uid == syntaxes.ENCAPSULATED
        return msgspec.structs.replace(
            self.picture, is_planar=self.picture.is_planar and keeps_planes, photometric=self.native_photometric
        )


def planned(source: Source, target_uid: str, settings: TranscodeSettings) -> Plan | None:
    """Look at a data set and make the plan; None when it has no Pixel Data to turn. Blocking. Raises Untranscodable."""
    try:
        return _planned(look(source.view, source.transfer_syntax_uid), source, target_uid, settings)
    except (Malformed, Unreadable) as error:
        raise Untranscodable(str(error)) from error


def planned_to_draw(source: Source, settings: TranscodeSettings) -> Plan | Unusual | None:
    """The same for a picture that is drawn: more of them can be. Blocking. Raises Untranscodable."""
    try:
        found = look(source.view, source.transfer_syntax_uid)
        unusual = unusual_of(found, source, settings.frame_bytes_max)
        return unusual or _planned(found, source, syntaxes.EXPLICIT_LITTLE, settings)
    except (Malformed, Unreadable) as error:
        raise Untranscodable(str(error)) from error


def _planned(found: Pixels, source: Source, target_uid: str, settings: TranscodeSettings) -> Plan | None:
    if found.has_nested_fragments:
        raise Untranscodable("a picture within a sequence is compressed")
    if found.native is None and found.fragments is None:
        return None
    shape = picture.picture_of(found.values, settings.frame_bytes_max)
    frames = _frames(source, found, shape)
    return _plan(source, found, shape, frames, target_uid)


def _plan(source: Source, found: Pixels, shape: Picture, frames: list[Spans], target_uid: str) -> Plan:
    stored_uid = source.transfer_syntax_uid
    stream = _first(source, shape, frames)
    unfolded = photometric = colour.unfolded(stored_uid, stream, shape.photometric)
    encodes = target_uid not in syntaxes.PLAIN
    if encodes:
        if colour.is_subsampled(photometric):
            raise Untranscodable("a native picture with subsampled colours is not folded")
        if shape.bits_allocated > 16 and target_uid != syntaxes.RLE:
            raise Untranscodable("samples of more than 16 bits are folded by RLE alone")
        photometric = colour.folded(target_uid, photometric)
    elif shape.total_bytes > NATIVE_BYTES_MAX:
        raise Untranscodable("the pictures, unfolded, have 4 GiB or more: no native Pixel Data is so long")
    edits = picture.edits_of(
        found.values,
        shape,
        photometric,
        keeps_planes=stored_uid == syntaxes.ENCAPSULATED and not encodes,
        is_lossy=stream is not None and stream.is_lossy,
        is_implicit=target_uid == syntaxes.IMPLICIT_LITTLE,
    )
    words = big_endian_words(found) if stored_uid == syntaxes.EXPLICIT_BIG else None
    return Plan(shape, frames, words, stored_uid, target_uid, unfolded, encodes, edits)


def _first(source: Source, shape: Picture, frames: list[Spans]) -> Codestream | None:
    """What the first frame says of itself, where frames say anything."""
    if source.transfer_syntax_uid not in syntaxes.BY_EXTRA:
        return None
    stream = codestream.look(source.transfer_syntax_uid, _read(source, frames[0]))
    codestream.check(stream, shape)
    return stream


def _read(source: Source, spans: Spans) -> bytes:
    return b"".join([source.read(offset, length) for offset, length in spans])


def _frames(source: Source, found: Pixels, shape: Picture) -> list[Spans]:
    """Where each frame stands. Raises Untranscodable when that cannot be told."""
    if found.native is not None:
        offset, length, _ = found.native
        if length < shape.total_bytes:
            raise Untranscodable("Pixel Data is shorter than its frames")
        return [[(offset + n * shape.frame_bytes, shape.frame_bytes)] for n in range(shape.frames_count)]
    frames = frame_table(found.frames)[1] or by_marker(source, (found.fragments or [])[1:])
    if len(frames) != shape.frames_count or not all(frames):
        raise Untranscodable("nothing says where the frames begin")
    if any(sum(length for _, length in spans) > 2 * shape.frame_bytes + FOLDED_BYTES_FREE for spans in frames):
        raise Untranscodable("a frame is far larger than its pixels")
    return frames


def by_marker(source: Source, fragments: Spans) -> list[Spans]:
    """Frames told apart by where a fragment begins a codestream."""
    frames: list[Spans] = []
    for at, length in fragments:
        if codestream.starts_frame(source.read(at, min(length, 4))):
            frames.append([])
        if not frames:
            return []
        frames[-1].append((at, length))
    return frames


class Turner:
    """Makes the new Pixel Data element of a plan."""

    def __init__(self, pool: Pool, threads: trio.CapacityLimiter, group_count: int) -> None:
        self._pool = pool
        self._threads = threads
        self._group_count = group_count

    async def element(self, plan: Plan, source: Source) -> AsyncGenerator[bytes, None]:
        """The whole element, a frame a piece; as many frames at once as there are workers. Raises Untranscodable."""
        shape = plan.picture
        is_implicit = plan.target_uid == syntaxes.IMPLICIT_LITTLE
        padding = b"\0" * (shape.total_bytes % 2)
        if plan.encodes:
            yield picture.pixel_data_head("OB", UNDEFINED, is_implicit=False) + ITEM + bytes(4)
        else:
            vr = "OW" if shape.bits_allocated > 8 else "OB"
            yield picture.pixel_data_head(vr, shape.total_bytes + len(padding), is_implicit=is_implicit)
        for at in range(0, len(plan.frames), self._group_count):
            for frame in await self._group(plan, source, plan.frames[at : at + self._group_count]):
                yield _item(frame) if plan.encodes else frame
        yield END if plan.encodes else padding

    async def _group(self, plan: Plan, source: Source, group: list[Spans]) -> list[bytes]:
        turned_frames = [b""] * len(group)

        failures: list[Exception] = []

        async def turn(at: int, spans: Spans) -> None:
            try:
                turned_frames[at] = await self.frame(plan, source, spans)
            except (Untranscodable, FilmroomError) as error:
                failures.append(error)
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for at, spans in enumerate(group):
                nursery.start_soon(turn, at, spans)
        if failures:
            raise failures[0]
        return turned_frames

    async def frame(self, plan: Plan, source: Source, spans: Spans) -> bytes:
        """One frame in the new syntax, without item header and padding. Raises Untranscodable."""
        shape = plan.picture
        if plan.is_decoded_apart:
            data = await trio.to_thread.run_sync(_read, source, spans, limiter=self._threads)
            data = await self._pool.decode(plan.stored_uid, shape, data)
        else:
            data = await trio.to_thread.run_sync(unfolded_here, plan, source, spans, limiter=self._threads)
        if not plan.encodes:
            return data
        native = plan.native_picture
        if plan.target_uid == syntaxes.RLE:
            return await trio.to_thread.run_sync(_rle, native, data, limiter=self._threads)
        return await self._pool.encode(plan.target_uid, native, data)


def unfolded_here(plan: Plan, source: Source, spans: Spans) -> bytes:
    """One native frame, where no decoder is needed. Blocking. Raises Untranscodable."""
    if plan.words is not None:
        return _unfolded(plan.stored_uid, plan.picture, read_turned(source, spans[0], plan.words))
    return _unfolded(plan.stored_uid, plan.picture, _read(source, spans))


def _unfolded(transfer_syntax_uid: str, shape: Picture, data: bytes) -> bytes:
    """Without the extra: what is native already, and RLE."""
    if transfer_syntax_uid == syntaxes.RLE:
        try:
            return rle.unfold(data, shape.rows * shape.columns, shape.samples, shape.sample_bytes)
        except ValueError as error:
            raise Untranscodable(str(error)) from error
    if len(data) < shape.frame_bytes:
        raise Untranscodable("a frame is shorter than its pixels")
    return data[: shape.frame_bytes]


def _rle(shape: Picture, data: bytes) -> bytes:
    return rle.fold(data, shape.rows, shape.columns, shape.samples, shape.sample_bytes, shape.is_planar)


def _item(frame: bytes) -> bytes:
    """One fragment, of even length."""
    padding = b"\0" * (len(frame) % 2)
    return ITEM + (len(frame) + len(padding)).to_bytes(4, "little") + frame + padding
