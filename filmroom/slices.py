"""Where the frames of a series lie, in what order, and what their values mean. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final, cast

import msgspec

from protocols.transcode import FrameValues, text_of

Point = tuple[float, float, float]
Orientation = tuple[float, float, float, float, float, float]

_POSITION, _ORIENTATION, _PIXEL_SPACING = (0x00200032, 0x00209113), (0x00200037, 0x00209116), (0x00280030, 0x00289110)
_INTERCEPT, _SLOPE, _TYPE = (0x00281052, 0x00289145), (0x00281053, 0x00289145), (0x00281054, 0x00289145)
_MODALITY, _INSTANCE_NUMBER, _PET_UNITS = 0x00080060, 0x00200013, 0x00541001
_MODALITY_TABLE: Final = (0x00283000, 0x00283002)
# Directions are decimal text of few digits; positions are of the same place when they differ by less.
SAME_DIRECTION, SAME_PLACE_MM = 1e-3, 1e-3


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One frame: the centre of its first pixel, the directions of its rows and columns (PS3.3 C.7.6.2.1.1), what a
    value means (``slope * stored + intercept`` in ``units``), and of which instance it is which frame."""

    sop_instance_uid: str
    frame_number: int
    instance_number: float
    position_mm: Point | None = None
    orientation: Orientation | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    slope: float = 1.0
    intercept: float = 0.0
    units: str = ""
    has_table: bool = False


def slice_of(sop_instance_uid: str, frame_number: int, said: FrameValues) -> Slice:
    """What a data set says of one of its frames."""
    slope, intercept = said.number_at(*_SLOPE), said.number_at(*_INTERCEPT)
    number = text_of(said.value(_INSTANCE_NUMBER))
    return Slice(
        sop_instance_uid=sop_instance_uid,
        frame_number=frame_number,
        instance_number=float(number) if number.lstrip("+-").isdecimal() else 0.0,
        position_mm=cast(Point | None, _exactly(3, said.numbers_at(*_POSITION))),
        orientation=cast(Orientation | None, _exactly(6, said.numbers_at(*_ORIENTATION))),
        pixel_spacing_mm=cast(tuple[float, float] | None, _exactly(2, said.numbers_at(*_PIXEL_SPACING))),
        slope=1.0 if slope is None else slope,
        intercept=0.0 if intercept is None else intercept,
        units=_units(said),
        has_table=said.value(*_MODALITY_TABLE, items=(1,)) is not None,
    )


def _units(said: FrameValues) -> str:
    """PS3.3 C.11.1.1.2, C.8.9.1.1.3; of a CT that says nothing, HU (PS3.3 C.8.2.1.1.2)."""
    told = text_of(said.found(*_TYPE))
    if told and told != "US":  # unspecified
        return told
    modality = text_of(said.value(_MODALITY))
    return text_of(said.value(_PET_UNITS)) if modality == "PT" else "HU" if modality == "CT" else told


def _exactly(count: int, numbers: tuple[float, ...]) -> tuple[float, ...] | None:
    return numbers if len(numbers) == count else None


def normal_of(orientation: Orientation) -> Point:
    """The direction in which slices follow: rows x columns."""
    a, b, c, d, e, f = orientation
    return (b * f - c * e, c * d - a * f, a * e - b * d)


def shared_orientation(slices: Sequence[Slice]) -> Orientation | None:
    """That of all; None when they differ, or one does not say."""
    first = slices[0].orientation if slices else None
    for one in slices:
        if first is None or one.orientation is None or one.position_mm is None:
            return None
        if any(abs(a - b) > SAME_DIRECTION for a, b in zip(first, one.orientation, strict=True)):
            return None
    return first


def order_of(slices: Sequence[Slice]) -> list[int]:
    """Indices in space: along the normal where all are parallel; where they lie at one place, and where they are not
    parallel, by Instance Number; at last by frame."""
    normal = normal_of(orientation) if (orientation := shared_orientation(slices)) else (0.0, 0.0, 0.0)

    def place(index: int) -> tuple[int, float, str, int]:
        one = slices[index]
        along = sum(a * b for a, b in zip(one.position_mm or normal, normal, strict=True)) if orientation else 0.0
        return (round(along / SAME_PLACE_MM), one.instance_number, one.sop_instance_uid, one.frame_number)

    return sorted(range(len(slices)), key=place)


def spacing_of(slices: Sequence[Slice]) -> float | None:
    """Millimetres between the places of slices in order: the median; None unless they are parallel, and of two
    places."""
    orientation = shared_orientation(slices)
    if orientation is None:
        return None
    normal = normal_of(orientation)
    along = [sum(a * b for a, b in zip(one.position_mm or normal, normal, strict=True)) for one in slices]
    steps = [after - before for before, after in pairwise(along)]
    steps = [step for step in steps if step > SAME_PLACE_MM]
    return median(steps) if steps else None
