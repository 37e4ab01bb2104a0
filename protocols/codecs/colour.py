"""What colours a picture has once it is unfolded or folded (PS3.3 C.7.6.3.1.2, PS3.5 8.2)."""

from protocols.codecs import syntaxes
from protocols.codecs.codestream import Codestream

_SUBSAMPLED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"})
_TRANSFORMED = frozenset({"YBR_RCT", "YBR_ICT"})


def is_ybr_jpeg(stream: Codestream, photometric: str) -> bool:
    """Whether the three components of a JPEG with loss are YCbCr: its own marker decides, else the data set."""
    if stream.is_ybr is not None:
        return stream.is_ybr
    return photometric.startswith("YBR")


def unfolded(transfer_syntax_uid: str, stream: Codestream | None, photometric: str) -> str:
    """Photometric Interpretation of what a decoder gives."""
    if stream is None or stream.samples == 1:
        return photometric
    if transfer_syntax_uid in syntaxes.JPEG_DCT or photometric in _TRANSFORMED:
        return "RGB"
    return "YBR_FULL" if photometric == "YBR_FULL_422" else photometric


def folded(transfer_syntax_uid: str, photometric: str) -> str:
    """Photometric Interpretation of what an encoder makes: JPEG 2000 turns RGB round without loss."""
    if photometric == "RGB" and transfer_syntax_uid in syntaxes.J2K_ALL | syntaxes.HTJ2K_ALL:
        return "YBR_RCT"
    return photometric


def is_subsampled(photometric: str) -> bool:
    """Whether a native picture has fewer samples of colour than of luminance."""
    return photometric in _SUBSAMPLED
