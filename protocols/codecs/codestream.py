"""What a compressed frame says of itself, read from its markers alone, before a decoder sees it (H38).

JPEG and JPEG-LS: ISO/IEC 10918-1 annex B, 14495-1 annex C. JPEG 2000 and HTJ2K: ISO/IEC 15444-1 annex A.
"""

import msgspec

from protocols.codecs import syntaxes
from protocols.codecs.picture import Picture
from protocols.codecs.unreadable import Unreadable

_BROKEN = Unreadable("a frame does not begin as its transfer syntax says")
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_LOSSLESS_HEADERS = frozenset({0xC3, 0xC7, 0xCB, 0xCF, 0xF7})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
MARKERS_MAX = 1000


class Codestream(msgspec.Struct, frozen=True):
    """One frame as its own markers describe it."""

    rows: int
    columns: int
    samples: int
    precision: int
    is_signed: bool = False
    is_lossy: bool = False
    # JPEG 2000: the components were turned into RCT or ICT, and every decoder turns them back
    # JPEG: Adobe's marker or the component's names say YCbCr (True) or RGB (False); None: nothing says
    is_ybr: bool | None = None


def look(transfer_syntax_uid: str, frame: bytes) -> Codestream:
    """Raises Unreadable."""
    try:
        if transfer_syntax_uid in syntaxes.J2K_ALL | syntaxes.HTJ2K_ALL:
            return _jpeg_2000(frame)
        return _jpeg(frame)
    except IndexError:
        raise _BROKEN from None


def check(stream: Codestream, picture: Picture) -> None:
    """Raises Unreadable unless a frame is what the data set announced."""
    if (stream.rows, stream.columns, stream.samples) != (picture.rows, picture.columns, picture.samples):
        raise Unreadable("a frame has another size than the data set says")
    if not 0 < stream.precision <= picture.bits_allocated:
        raise Unreadable("a frame has more bits a sample than the data set says")


def starts_frame(head: bytes) -> bool:
    """Whether a fragment begins a codestream: for frames that no table tells apart."""
    return head.startswith((b"\xff\xd8\xff", b"\xff\x4f\xff\x51"))


def _word(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _long(data: bytes, at: int) -> int:
    return _word(data, at) << 16 | _word(data, at + 2)


def _jpeg(data: bytes) -> Codestream:
    """Segments up to the first scan: the frame header, Adobe's marker, and of JPEG-LS how near it is."""
    if data[:2] != b"\xff\xd8":
        raise _BROKEN
    found: Codestream | None = None
    is_ybr: bool | None = None
    is_ls = False
    at = 2
    for _ in range(MARKERS_MAX):  # bytes that fill up before a marker count too
        if data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
            continue
        marker, body = data[at + 1], at + 4
        if data[at] != 0xFF or (marker == 0xDA and found is None):
            break
        if marker == 0xDA and found is not None:
            is_near = is_ls and data[body + 1 + 2 * data[body]] > 0
            return msgspec.structs.replace(
                found, is_lossy=found.is_lossy or is_near, is_ybr=found.is_ybr if is_ybr is None else is_ybr
            )
        length = 0 if marker in _STANDALONE else _word(data, at + 2)
        if marker == 0xEE and length >= 14 and data[body : body + 5] == b"Adobe":
            is_ybr = data[body + 11] == 1
        elif marker in _FRAME_HEADERS:
            found, is_ls = _frame_header(data, marker, body), marker == 0xF7
        at += 2 + length
    raise _BROKEN


def _frame_header(data: bytes, marker: int, body: int) -> Codestream:
    names = bytes(data[body + 6 + 3 * n] for n in range(data[body + 5]))
    return Codestream(
        rows=_word(data, body + 1),
        columns=_word(data, body + 3),
        samples=data[body + 5],
        precision=data[body],
        is_lossy=marker not in _LOSSLESS_HEADERS,
        is_ybr=False if names == b"RGB" else None,
    )


def _jpeg_2000(data: bytes) -> Codestream:
    """The main header: SIZ, and of COD the transforms."""
    at = _codestream_at(data)
    if data[at : at + 4] != b"\xff\x4f\xff\x51":
        raise _BROKEN
    size = at + 6
    samples = _word(data, size + 34)
    parts = [data[size + 36 + 3 * n : size + 39 + 3 * n] for n in range(min(samples, 4))]
    if any(part[1:] != b"\x01\x01" for part in parts):
        raise Unreadable("the samples of a frame are not all of one size")
    if len({part[0] for part in parts}) != 1:
        raise Unreadable("the samples of a frame have not all the same bits")
    wavelet = _wavelet(data, at + 4 + _word(data, at + 4))
    return Codestream(
        rows=_long(data, size + 6) - _long(data, size + 14),
        columns=_long(data, size + 2) - _long(data, size + 10),
        samples=samples,
        precision=(parts[0][0] & 0x7F) + 1,
        is_signed=bool(parts[0][0] & 0x80),
        is_lossy=wavelet == 0,
    )


def _codestream_at(data: bytes) -> int:
    """0; of a JP2 file, which DICOM forbids and devices write, where its codestream box begins."""
    if data[:12] != _JP2_SIGNATURE:
        return 0
    at = 12
    for _ in range(MARKERS_MAX):
        if data[at + 4 : at + 8] == b"jp2c":
            return at + (16 if _long(data, at) == 1 else 8)
        at += max(8, _long(data, at))
    raise _BROKEN


def _wavelet(data: bytes, at: int) -> int:
    """The wavelet (0: irreversible) of the first COD from a segment on."""
    for _ in range(MARKERS_MAX):
        if data[at : at + 2] == b"\xff\x52":
            return data[at + 13]
        if data[at] != 0xFF:
            break
        at += 2 + _word(data, at + 2)
    raise _BROKEN
