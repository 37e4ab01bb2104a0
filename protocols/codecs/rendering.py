"""A native frame as an image of 8 bits (PS3.4 N.2, PS3.3 C.11). Only the worker process imports this."""

from typing import Any

import imagecodecs
import numpy

from protocols.codecs.look import Look, Table, Viewport, Window
from protocols.codecs.picture import Picture
from protocols.codecs.samples import Array, masked, native
from protocols.codecs.unreadable import Unreadable


def render(picture: Picture, look: Look, frame: bytes) -> bytes:
    """The encoded image. Raises Unreadable."""
    if len(frame) < picture.frame_bytes:
        raise Unreadable("a frame is shorter than its pixels")
    samples = native(picture, frame[: picture.frame_bytes])
    image = _coloured(picture, look, samples) if _has_colours(picture) else _grey(picture, look, samples)
    if look.viewport is not None:
        image = _fitted(image, look.viewport)
    image = numpy.ascontiguousarray(image)
    if look.media_type == "image/png":
        return bytes(imagecodecs.png_encode(image, level=1))
    return bytes(imagecodecs.jpeg8_encode(image, level=look.quality))


def _has_colours(picture: Picture) -> bool:
    return picture.samples == 3 or picture.photometric == "PALETTE COLOR"


# -- grey: modality, values of interest, presentation ------------------------------------------------------------------


def _grey(picture: Picture, look: Look, samples: Array) -> Array:
    stored = _shown(picture, samples)
    values = _modality(look, stored)
    if look.voi is not None and look.window is None:
        image = _looked_up(look.voi, values)
        top = (1 << look.voi.bits) - 1
        image = image * (255.0 / top)
    else:
        image = _windowed(values, look.window or _whole(picture, look, values, stored))
    grey = numpy.clip(numpy.rint(image), 0, 255).astype(numpy.uint8)
    return 255 - grey if picture.photometric == "MONOCHROME1" else grey


def _shown(picture: Picture, samples: Array) -> Array:
    """What is stored, every sample a number."""
    if picture.is_float:
        return numpy.nan_to_num(samples, nan=float(numpy.nanmin(samples)) if not numpy.isnan(samples).all() else 0.0)
    return masked(picture, samples)


def _modality(look: Look, values: Array) -> Array:
    if look.modality is not None:
        return _looked_up(look.modality, values)
    if (look.slope, look.intercept) == (1.0, 0.0):
        return values
    return values * look.slope + look.intercept


def _whole(picture: Picture, look: Look, values: Array, stored: Array) -> Window:
    """Of bytes all that there may be, else all that there is, what fills up around the picture left out."""
    if picture.bits_stored <= 8 and not picture.is_signed and values.dtype == numpy.uint8:
        return Window(
            center=((1 << picture.bits_stored) - 1) / 2, width=(1 << picture.bits_stored) - 1, function="LINEAR_EXACT"
        )
    if look.padding is not None:
        first, last = look.padding
        shown = values[(stored < first) | (stored > last)]
        values = shown if shown.size else values
    low, high = float(values.min()), float(values.max())
    if not numpy.isfinite(high - low):  # floating point only
        low, high = -1e30, 1e30
    return Window(center=(low + high) / 2, width=max(high - low, 1e-6), function="LINEAR_EXACT")


def _windowed(values: Array, window: Window) -> Array:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, to 0..255."""
    wide: Any = values.astype(numpy.float32 if values.dtype.itemsize < 4 else numpy.float64)
    drawn: Array
    if window.function == "SIGMOID":
        drawn = 255.0 / (1.0 + numpy.exp(numpy.clip(-4.0 * (wide - window.center) / window.width, -80, 80)))
        return drawn
    center, width = window.center, window.width
    if window.function == "LINEAR":
        center, width = center - 0.5, width - 1.0
    if width <= 0:
        drawn = numpy.where(wide <= center, 0.0, 255.0)
    else:
        drawn = numpy.clip(((wide - center) / width + 0.5) * 255.0, 0.0, 255.0)
    return drawn


def _looked_up(table: Table, values: Array) -> Array:
    """Values below the first entry are the first, above the last the last (H34)."""
    entries = numpy.frombuffer(table.data, "<u2" if table.bits > 8 else "u1", count=table.count)
    places = numpy.clip(values.astype(numpy.int64) - table.first, 0, table.count - 1)
    return entries[places]


# -- colours -----------------------------------------------------------------------------------------------------------


def _coloured(picture: Picture, look: Look, samples: Array) -> Array:
    if picture.photometric == "PALETTE COLOR":
        if look.palette is None or picture.samples != 1:
            raise Unreadable("the palette is missing")
        index = _shown(picture, samples)
        planes = [_eight_bits(_looked_up(table, index), table.bits) for table in look.palette]
        return numpy.stack(planes, axis=-1)
    image = _eight_bits(samples, picture.bits_stored)
    if picture.photometric.startswith("YBR_FULL"):
        return _rgb(image)
    if picture.photometric != "RGB":
        raise Unreadable("a picture of these colours is not rendered")
    return image


def _eight_bits(values: Array, bits: int) -> Array:
    return (values >> max(0, bits - 8)).astype(numpy.uint8)


def _rgb(image: Any) -> Array:
    """PS3.3 C.7.6.3.1.2."""
    y, cb, cr = (image[..., n].astype(numpy.float32) for n in range(3))
    cb, cr = cb - 128.0, cr - 128.0
    planes = (y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb)
    rgb: Array = numpy.clip(numpy.rint(numpy.stack(planes, axis=-1)), 0, 255).astype(numpy.uint8)
    return rgb


# -- size --------------------------------------------------------------------------------------------------------------


def _fitted(image: Array, viewport: Viewport) -> Any:
    """The part asked for, as large as fits, its shape kept."""
    rows, columns = image.shape[:2]
    right = viewport.left + viewport.width if viewport.width else columns
    bottom = viewport.top + viewport.height if viewport.height else rows
    part = image[viewport.top : min(bottom, rows), viewport.left : min(right, columns)]
    if not part.size:
        raise Unreadable("the viewport shows nothing of the image")
    part = part[:, ::-1] if viewport.flips_x else part
    part = part[::-1] if viewport.flips_y else part
    scale = min(viewport.columns / part.shape[1], viewport.rows / part.shape[0])
    size = (max(1, round(part.shape[0] * scale)), max(1, round(part.shape[1] * scale)))
    return _resized(_resized(part, size[0], 0), size[1], 1)


def _resized(image: Any, size: int, axis: int) -> Any:
    """One axis: smaller by averages, larger by what lies between."""
    length = image.shape[axis]
    if size == length:
        return image
    if size < length:
        edges = numpy.linspace(0, length, size + 1)
        begins = numpy.minimum(numpy.floor(edges[:-1]).astype(int), length - 1)
        ends = numpy.maximum(numpy.ceil(edges[1:]).astype(int), begins + 1)
        zero = numpy.zeros_like(numpy.take(image, [0], axis), dtype=numpy.int64)
        sums = numpy.concatenate((zero, numpy.cumsum(image, axis=axis, dtype=numpy.int64)), axis=axis)
        shape = [-1 if n == axis else 1 for n in range(image.ndim)]
        means = (sums.take(ends, axis) - sums.take(begins, axis)) / (ends - begins).reshape(shape)
        return numpy.rint(means).astype(numpy.uint8)
    places = numpy.clip((numpy.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
    below = numpy.floor(places).astype(int)
    above = numpy.minimum(below + 1, length - 1)
    part = (places - below).reshape([-1 if n == axis else 1 for n in range(image.ndim)])
    mixed = image.take(below, axis) * (1 - part) + image.take(above, axis) * part
    return numpy.rint(mixed).astype(numpy.uint8)
