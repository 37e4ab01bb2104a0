"""One frame, folded or unfolded by the extra [codecs]. Only the worker process imports this."""

from collections.abc import Callable

import imagecodecs
import numpy

from protocols.codecs import codestream, syntaxes
from protocols.codecs.codestream import Codestream
from protocols.codecs.colour import is_ybr_jpeg
from protocols.codecs.picture import Picture
from protocols.codecs.samples import Array, native
from protocols.codecs.unreadable import Unreadable

ENCODED_HEAD_BYTES = 65536


def decode(uid: str, picture: Picture, frame: bytes) -> bytes:
    """Native samples: little endian, interleaved, ``picture.frame_bytes`` of them. Raises Unreadable."""
    stream = codestream.look(uid, frame)
    codestream.check(stream, picture)
    return _fitted(_decoded(uid, picture, stream, frame), picture, stream)


def encode(uid: str, picture: Picture, frame: bytes) -> bytes:
    """A codestream that was decoded again and gave the same samples. Raises Unreadable."""
    samples = native(picture, frame)
    encoded = _ENCODERS[uid](picture, samples)
    if decode(uid, picture, encoded) != samples.tobytes():
        raise Unreadable("a frame could not be kept without loss")
    return encoded


def _decoded(uid: str, picture: Picture, stream: Codestream, frame: bytes) -> Array:
    if uid in syntaxes.JPEG_LS_ALL:
        return imagecodecs.jpegls_decode(frame)
    if uid in syntaxes.JPEG_DCT | syntaxes.JPEG_PREDICTIVE:
        if picture.samples == 1:
            return imagecodecs.jpeg8_decode(frame)
        is_ybr = uid in syntaxes.JPEG_DCT and is_ybr_jpeg(stream, picture.photometric)
        return imagecodecs.jpeg8_decode(frame, colorspace="YCBCR" if is_ybr else "RGB", outcolorspace="RGB")
    if uid in syntaxes.HTJ2K_ALL:
        return imagecodecs.htj2k_decode(frame, planar=False)
    return imagecodecs.jpeg2k_decode(frame, planar=False, numthreads=1)


def _fitted(samples: Array, picture: Picture, stream: Codestream) -> bytes:
    """Into Bits Allocated; where the codestream has no sign and the data set has one, from the codestream's top bit."""
    shape = (picture.rows, picture.columns) + ((picture.samples,) if picture.samples > 1 else ())
    if samples.shape != shape:
        raise Unreadable("a decoded frame has another size than the data set says")
    sample = numpy.dtype(f"<i{picture.sample_bytes}")
    fitted = samples.astype(sample, copy=False)
    spare_bits = picture.bits_allocated - stream.precision
    if picture.is_signed and not stream.is_signed and spare_bits:
        fitted = (fitted << spare_bits) >> spare_bits
    return fitted.tobytes()


def _precision(picture: Picture, samples: Array) -> int:
    """Bits Stored, unless something (an overlay, say) stands in the bits above."""
    bits, low, high = picture.bits_stored, int(samples.min()), int(samples.max())
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if picture.is_signed else (0, (1 << bits) - 1)
    return bits if least <= low and high <= most else picture.bits_allocated


def _jpeg_ls(picture: Picture, samples: Array) -> bytes:
    unsigned = samples.view(f"<u{picture.sample_bytes}")
    # noise grows when it is folded, and the room that the codec reckons itself is too little then
    room = bytearray(2 * unsigned.nbytes + ENCODED_HEAD_BYTES)
    return _without_spiff(bytes(imagecodecs.jpegls_encode(unsigned, out=room)))


def _without_spiff(encoded: bytes) -> bytes:
    """PS3.5 8.2.3 wants the codestream alone: the SPIFF header in front of it (segments APP8) goes."""
    at = 2
    while encoded[at : at + 2] == b"\xff\xe8":
        at += 2 + int.from_bytes(encoded[at + 2 : at + 4], "big")
    return encoded[:2] + encoded[at:]


def _jpeg_2000(picture: Picture, samples: Array) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            samples,
            codecformat="j2k",
            reversible=True,
            mct=picture.photometric == "RGB",
            bitspersample=_precision(picture, samples),
            numthreads=1,
        )
    )


def _htj2k(picture: Picture, samples: Array) -> bytes:
    return bytes(imagecodecs.htj2k_encode(samples, reversible=True, rgb=picture.photometric == "RGB"))


_ENCODERS: dict[str, Callable[[Picture, Array], bytes]] = {
    **dict.fromkeys(syntaxes.JPEG_LS_ALL, _jpeg_ls),
    **dict.fromkeys(syntaxes.J2K_ALL, _jpeg_2000),
    **dict.fromkeys((syntaxes.HTJ2K_LOSSLESS, syntaxes.HTJ2K), _htj2k),
}
