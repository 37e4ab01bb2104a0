"""A series as one array, its slices in order of space. numpy is loaded when one is asked for."""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from engine import Archive, Conflict, Corrupt, Fetched, FilmroomError, Invalid, Level, Missing, checked_pieces, query_of
from filmroom.slices import Orientation, Point, Slice, order_of, shared_orientation, slice_of, spacing_of
from protocols.transcode import Source, Transcoder, Unfolding

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, numpy.dtype[Any]]
else:
    Array = Any  # help() asks for the types, and numpy need not be there

NUMPY_MISSING = "series as arrays need numpy: pip install 'filmroom[codecs]'"
DECODING_COUNT = 4  # frames on their way to the decoders: these have the next one when they are done


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A series. ``array``: (slices, rows, columns), or (slices, rows, columns, samples) of colours; see
    ``Images.series``. ``slices`` says of each what its instance is, and where it lies."""

    array: Array
    slices: tuple[Slice, ...]
    photometric: str
    units: str

    @property
    def orientation(self) -> Orientation | None:
        """Directions of rows and columns (PS3.3 C.7.6.2.1.1); None when the slices are not parallel."""
        return shared_orientation(self.slices)

    @property
    def origin_mm(self) -> Point | None:
        """The centre of the first pixel of the first slice, in the coordinates of the patient (x, y, z)."""
        return self.slices[0].position_mm

    @property
    def spacing_mm(self) -> tuple[float | None, float | None, float | None]:
        """Between slices (the median), rows and columns: as the array's axes; None where it is not told."""
        between_rows, between_columns = self.slices[0].pixel_spacing_mm or (None, None)
        return (spacing_of(self.slices), between_rows, between_columns)


async def volume(
    archive: Archive, transcoder: Transcoder, series_uid: str, *, study_uid: str = "", rescale: bool = False
) -> Volume:
    """See ``Images.series``."""
    wanted = {"SeriesInstanceUID": series_uid, "StudyInstanceUID": study_uid}
    if not series_uid:
        raise Missing("no Series Instance UID is given")
    instances = await archive.instances(query_of(Level.SERIES, {name: uid for name, uid in wanted.items() if uid}))
    if not instances:
        raise Missing("there is no such series")
    if len({one.study_uid for one in instances}) > 1:
        raise Conflict("this Series Instance UID is kept in more than one study: name study_uid")
    stack = await trio.to_thread.run_sync(Stack, len(instances), rescale)
    async with archive.reader(instances) as windows:
        async for window in windows:
            for lost in window.lost:
                raise Corrupt(f"object {lost.key} is gone")
            waiting = await trio.to_thread.run_sync(stack.take, window.objects, transcoder)
            await _decode(stack, waiting)
    return await trio.to_thread.run_sync(stack.finish)


async def _decode(stack: "Stack", waiting: Sequence[tuple[Unfolding, int]]) -> None:
    """The frames of several objects, each from its place on. Raises the first error as itself."""
    frames = chain.from_iterable(
        ((unfolding, at + number, number + 1) for number in range(unfolding.picture.frames_count))
        for unfolding, at in waiting
    )
    failures: list[Exception] = []
    one_at_a_time = trio.CapacityLimiter(1)

    async def work() -> None:
        for unfolding, at, number in frames:
            try:
                frame = await unfolding.decoded(number)
                await trio.to_thread.run_sync(stack.put, at, unfolding, frame, limiter=one_at_a_time)
            except FilmroomError as error:
                failures.append(error)
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for _ in range(DECODING_COUNT if waiting else 0):
            nursery.start_soon(work)
    if failures:
        raise failures[0]


class Stack:
    """The array as it grows, in the order in which objects come. For threads, one at a time."""

    def __init__(self, object_count: int, rescale: bool) -> None:
        """Raises ImportError without numpy."""
        try:
            import numpy
        except ImportError as error:
            raise ImportError(NUMPY_MISSING) from error
        self._numpy: Any = numpy
        self._object_count = object_count
        self._rescale = rescale
        self._array: Any = None
        self._slices: list[Slice] = []
        self._photometric = ""
        self._shape: tuple[Any, ...] = ()

    def take(self, objects: Sequence[Fetched], transcoder: Transcoder) -> list[tuple[Unfolding, int]]:
        """Put in place what needs no decoder; the others, and where their frames begin. Raises Invalid, Corrupt."""
        waiting = []
        for fetched in objects:
            instance = fetched.instance
            source = Source(b"".join(checked_pieces(fetched)), fetched.dataset_offset, instance.transfer_syntax_uid)
            unfolding = transcoder.unfolding(source)
            if unfolding is None:
                raise Invalid(f"instance {instance.sop_instance_uid} of this series is no picture")
            at = len(self._slices)
            numbers = range(1, unfolding.picture.frames_count + 1)
            self._slices += [slice_of(instance.sop_instance_uid, n, unfolding.values(n)) for n in numbers]
            if unfolding.is_decoded_apart:
                waiting.append((unfolding, at))
                continue
            for number in numbers:
                self.put(at + number - 1, unfolding, unfolding.frame(number))
        return waiting

    def put(self, at: int, unfolding: Unfolding, frame: bytes) -> None:
        """One frame into its place. Raises Invalid when it is not like the others."""
        samples, one = unfolding.samples(frame), self._slices[at]
        shape = (samples.shape, samples.dtype)
        if self._array is None:
            self._begin(unfolding, samples)
        if shape != self._shape:
            told = " and ".join(f"{'x'.join(map(str, size))} {kind}" for size, kind in (self._shape, shape))
            raise Invalid(f"the pictures of this series are not alike: {told}; get them one by one, with instance()")
        if at >= len(self._array):
            self._grow(at + 1)
        if self._rescale and unfolding.picture.samples == 1:
            if one.has_table:
                raise Invalid(
                    "this series has a modality table, not a slope: apply it with pydicom.pixels to instance()"
                )
            self._numpy.multiply(samples, one.slope, out=self._array[at], casting="unsafe")
            self._array[at] += one.intercept
        else:
            self._array[at] = samples

    def finish(self) -> Volume:
        """All have come."""
        order = order_of(self._slices)
        array = self._array[: len(order)]
        _arrange(array, order)
        slices = tuple(self._slices[index] for index in order)
        return Volume(
            array=array,
            slices=slices,
            photometric=self._photometric,
            units=slices[0].units if self._rescale else "",
        )

    def _begin(self, unfolding: Unfolding, samples: Any) -> None:
        self._shape = (samples.shape, samples.dtype)
        self._photometric = unfolding.picture.photometric
        kind = samples.dtype
        if self._rescale and unfolding.picture.samples == 1 and kind.kind != "f":
            kind = self._numpy.float32 if kind.itemsize <= 2 else self._numpy.float64
        count = self._object_count * unfolding.picture.frames_count
        self._array = self._numpy.empty((count, *samples.shape), kind)

    def _grow(self, count: int) -> None:
        grown = self._numpy.empty((max(count, len(self._array) * 3 // 2), *self._array.shape[1:]), self._array.dtype)
        grown[: len(self._array)] = self._array
        self._array = grown


def _arrange(array: Any, order: Sequence[int]) -> None:
    """``array[order]`` in place, one slice held: series fill the memory."""
    for cycle in _cycles(order):
        first = array[cycle[0]].copy()
        for to, origin in pairwise(cycle):
            array[to] = array[origin]
        array[cycle[-1]] = first


def _cycles(order: Sequence[int]) -> Iterator[list[int]]:
    seen: set[int] = set()
    for start in range(len(order)):
        cycle, at = [], start
        while at not in seen:
            seen.add(at)
            cycle.append(at)
            at = order[at]
        if len(cycle) > 1:
            yield cycle
