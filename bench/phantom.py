"""Pictures for generated studies: a slice through a simple body, drawn row by row without any library."""

from functools import lru_cache
from math import cos, pi, sqrt
from struct import pack

from msgspec import Struct

AIR, SKIN, TISSUE, LUNG, BONE, HEART = 0, 1080, 1040, 220, 1900, 1090


class Ellipse(Struct, frozen=True):
    """Centre and half axes as fractions of the picture's size; ``value`` is what it is filled with."""

    x: float
    y: float
    half_width: float
    half_height: float
    value: int


@lru_cache(maxsize=256)
def slice_pixels(size: int, position: int, count: int) -> bytes:
    """One ``size`` x ``size`` 16-bit little-endian picture; ``position`` of ``count`` along the body's axis."""
    row_bytes = size * 2
    picture = bytearray(row_bytes * size)
    for shape in _body(position / max(1, count - 1)):
        fill = pack("<H", shape.value)
        for y in range(size):
            height = (y / size - shape.y) / shape.half_height
            if abs(height) < 1:
                half = shape.half_width * sqrt(1 - height * height)
                first, last = max(0, int((shape.x - half) * size)), min(size, int((shape.x + half) * size))
                picture[y * row_bytes + first * 2 : y * row_bytes + last * 2] = fill * max(0, last - first)
    return bytes(picture)


def _body(depth: float) -> list[Ellipse]:
    """From neck (0) to belly (1): lungs swell and fade, the heart stands in the middle, the spine runs through."""
    width = 0.30 + 0.12 * depth
    lung = max(0.0, cos((depth - 0.45) * pi))
    shapes = [Ellipse(0.5, 0.5, width, 0.30, SKIN), Ellipse(0.5, 0.5, width - 0.015, 0.285, TISSUE)]
    if lung > 0.2:
        shapes += [Ellipse(0.5 + side * 0.19, 0.48, 0.13 * lung, 0.2 * lung, LUNG) for side in (-1, 1)]
        shapes.append(Ellipse(0.54, 0.44, 0.09 * lung, 0.09 * lung, HEART))
    return [*shapes, Ellipse(0.5, 0.68, 0.045, 0.05, BONE), Ellipse(0.5, 0.70, 0.018, 0.018, TISSUE)]
