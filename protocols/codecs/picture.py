"""What a data set says of its pixels, checked before any of them is touched (PS3.3 C.7.6.3.1, PS3.5 8.1)."""

from collections.abc import Mapping

import msgspec

from native.frames import FRAMES_MAX
from protocols.codecs.unreadable import Unreadable

SAMPLES_PER_PIXEL = 0x00280002
PHOTOMETRIC_INTERPRETATION = 0x00280004
PLANAR_CONFIGURATION = 0x00280006
NUMBER_OF_FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011
BITS_ALLOCATED = 0x00280100
BITS_STORED = 0x00280101
PIXEL_REPRESENTATION = 0x00280103
LOSSY_IMAGE_COMPRESSION = 0x00282110
EXTENDED_OFFSETS = 0x7FE00001
EXTENDED_LENGTHS = 0x7FE00002
ENCAPSULATED_TOTAL = 0x7FE00003


class Picture(msgspec.Struct, frozen=True):
    """The frames of one object: all alike. ``is_float``: samples are numbers of floating point. ``is_halved``: native,
    with two pixels in Y Y Cb Cr."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    is_planar: bool
    photometric: str
    frames_count: int
    is_float: bool = False
    is_halved: bool = False

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return self.bits_allocated // 8

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame, unfolded."""
        samples = 2 if self.is_halved else self.samples
        return (self.rows * self.columns * samples * self.bits_allocated + 7) // 8

    @property
    def drawn_bytes(self) -> int:
        """Bytes of one frame with a byte for each bit, and chroma for each pixel."""
        return self.rows * self.columns * self.samples * max(1, self.sample_bytes)

    @property
    def total_bytes(self) -> int:
        """Bytes of all frames, unfolded, without padding."""
        return self.frame_bytes * self.frames_count


def picture_of(values: Mapping[int, bytes], frame_bytes_max: int) -> Picture:
    """Raises Unreadable when it is none that can be folded or unfolded (H33, H37, H38)."""
    picture = Picture(
        rows=_number(values, ROWS, "Rows"),
        columns=_number(values, COLUMNS, "Columns"),
        samples=_number(values, SAMPLES_PER_PIXEL, "Samples per Pixel"),
        bits_allocated=_number(values, BITS_ALLOCATED, "Bits Allocated"),
        bits_stored=_number(values, BITS_STORED, "Bits Stored"),
        is_signed=_number(values, PIXEL_REPRESENTATION, "Pixel Representation") == 1,
        is_planar=values.get(PLANAR_CONFIGURATION, b"")[:1] == b"\x01",
        photometric=values.get(PHOTOMETRIC_INTERPRETATION, b"").strip(b" \0").decode("ascii", "replace"),
        frames_count=_frames_count(values.get(NUMBER_OF_FRAMES, b"")),
    )
    if not picture.rows or not picture.columns:
        raise Unreadable("Rows or Columns is 0")
    if picture.samples not in (1, 3):
        raise Unreadable("only pictures of 1 or 3 samples a pixel can be transcoded")
    if picture.bits_allocated not in (8, 16, 32) or not 0 < picture.bits_stored <= picture.bits_allocated:
        raise Unreadable("Bits Allocated is not 8, 16 or 32, or Bits Stored does not fit it")
    if picture.frame_bytes > frame_bytes_max:
        raise Unreadable(f"a frame is larger than the {frame_bytes_max >> 20} MiB that are unfolded")
    return picture


def unusual_picture_of(values: Mapping[int, bytes], frame_bytes_max: int, *, is_float: bool) -> Picture | None:
    """A native picture that is drawn and never folded: of bits, of floating point, with halved chroma; None: it is none
    of them. Raises Unreadable."""
    bits, samples = _number(values, BITS_ALLOCATED, "Bits Allocated"), values.get(SAMPLES_PER_PIXEL, b"")[:1]
    photometric = values.get(PHOTOMETRIC_INTERPRETATION, b"").strip(b" \0").decode("ascii", "replace")
    is_halved = (photometric, bits, samples) == ("YBR_FULL_422", 8, b"\3")
    is_bits = (bits, samples) == (1, b"\1")
    if not (is_bits or is_halved or (is_float and bits in (32, 64) and samples == b"\1")):
        return None
    picture = Picture(
        rows=_number(values, ROWS, "Rows"),
        columns=_number(values, COLUMNS, "Columns"),
        samples=samples[0],
        bits_allocated=bits,
        bits_stored=bits,
        is_signed=False,
        is_planar=False,
        photometric=photometric,
        frames_count=_frames_count(values.get(NUMBER_OF_FRAMES, b"")),
        is_float=is_float,
        is_halved=is_halved,
    )
    if not picture.rows or not picture.columns or (is_halved and picture.columns % 2):
        raise Unreadable("Rows or Columns is 0, or a half")
    if picture.drawn_bytes > frame_bytes_max:
        raise Unreadable(f"a frame is larger than the {frame_bytes_max >> 20} MiB that are drawn")
    return picture


def _number(values: Mapping[int, bytes], tag: int, name: str) -> int:
    value = values.get(tag, b"")
    if len(value) != 2:
        raise Unreadable(f"{name} is missing, or no 16-bit number")
    return int.from_bytes(value, "little")


def _frames_count(text: bytes) -> int:
    """1 when absent (PS3.3 C.7.6.6)."""
    try:
        count = int(text.strip(b" \0") or b"1")
    except ValueError:
        count = 0
    if not 0 < count <= FRAMES_MAX:
        raise Unreadable("Number of Frames is no sensible number")
    return count


def element(tag: int, vr: str, value: bytes, *, is_implicit: bool) -> bytes:
    """A short element, little endian."""
    value += (b" " if vr == "CS" else b"\0") * (len(value) % 2)
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    if is_implicit:
        return head + len(value).to_bytes(4, "little") + value
    return head + vr.encode("ascii") + len(value).to_bytes(2, "little") + value


def pixel_data_head(vr: str, length: int, *, is_implicit: bool) -> bytes:
    """The header of Pixel Data; a length of 0xFFFFFFFF announces fragments."""
    head = b"\xe0\x7f\x10\x00" + (b"" if is_implicit else vr.encode("ascii") + b"\0\0")
    return head + length.to_bytes(4, "little")


def edits_of(
    values: Mapping[int, bytes],
    picture: Picture,
    photometric: str,
    *,
    keeps_planes: bool,
    is_lossy: bool,
    is_implicit: bool,
) -> dict[int, bytes | None]:
    """What changes in the header when pixels are folded or unfolded; what says that they are lossy is kept or added."""
    edits: dict[int, bytes | None] = dict.fromkeys((EXTENDED_OFFSETS, EXTENDED_LENGTHS, ENCAPSULATED_TOTAL))
    if photometric != picture.photometric:
        edits[PHOTOMETRIC_INTERPRETATION] = element(
            PHOTOMETRIC_INTERPRETATION, "CS", photometric.encode("ascii"), is_implicit=is_implicit
        )
    if picture.samples > 1 and not keeps_planes:
        edits[PLANAR_CONFIGURATION] = element(PLANAR_CONFIGURATION, "US", b"\0\0", is_implicit=is_implicit)
    if is_lossy and values.get(LOSSY_IMAGE_COMPRESSION, b"").strip(b" \0") != b"01":
        edits[LOSSY_IMAGE_COMPRESSION] = element(LOSSY_IMAGE_COMPRESSION, "CS", b"01", is_implicit=is_implicit)
    return edits
