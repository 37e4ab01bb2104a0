"""Samples of a native frame as an array. numpy is loaded by who imports this: the worker process, and embedders."""

from typing import Any

import numpy

from protocols.codecs.picture import Picture

Array = numpy.ndarray[Any, Any]


def native(picture: Picture, frame: bytes) -> Array:
    """The samples of a native frame, interleaved, signed if the data set says so."""
    if picture.bits_allocated == 1:
        bits = numpy.unpackbits(numpy.frombuffer(frame, "u1"), bitorder="little")
        return bits[: picture.rows * picture.columns].reshape(picture.rows, picture.columns)
    if picture.is_halved:
        return _doubled(numpy.frombuffer(frame, "u1").reshape(picture.rows, picture.columns // 2, 4))
    if picture.is_float:
        return numpy.frombuffer(frame, f"<f{picture.sample_bytes}").reshape(picture.rows, picture.columns)
    flat = numpy.frombuffer(frame, f"<{'i' if picture.is_signed else 'u'}{picture.sample_bytes}")
    if picture.samples == 1:
        return flat.reshape(picture.rows, picture.columns)
    if picture.is_planar:
        planes = flat.reshape(picture.samples, picture.rows, picture.columns)
        return numpy.ascontiguousarray(planes.transpose(1, 2, 0))
    return flat.reshape(picture.rows, picture.columns, picture.samples)


def _doubled(pairs: Array) -> Array:
    """Y Y Cb Cr of two pixels as Y Cb Cr of each (PS3.3 C.7.6.3.1.2: chroma is sited at the first)."""
    chroma = pairs[:, :, None, 2:].repeat(2, axis=2)
    whole = numpy.concatenate((pairs[:, :, :2, None], chroma), axis=3)
    return whole.reshape(pairs.shape[0], 2 * pairs.shape[1], 3)


def masked(picture: Picture, samples: Array) -> Array:
    """Without what stands in the bits above Bits Stored (overlays, say); of floating point as they are."""
    spare = 0 if picture.is_float else picture.bits_allocated - picture.bits_stored
    return (samples << spare) >> spare if spare else samples
