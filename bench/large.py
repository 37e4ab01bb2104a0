"""An object of many frames, of any size, that is never whole in memory: each frame is one fragment (PS3.5 A.4)."""

from collections.abc import Iterator
from struct import pack

from msgspec import Struct

from bench.data import ROOT, file_head
from bench.elements import encode, text, us

JPEG_LS = "1.2.840.10008.1.2.4.80"
MULTI_FRAME_WORD = "1.2.840.10008.5.1.4.1.1.7.3"
ROWS = 512
FRAME_BYTES = 1 << 19
END = b"\xfe\xff\xdd\xe0\0\0\0\0"


class Large(Struct, frozen=True):
    """One object; ``number`` tells it from others."""

    number: int
    frame_count: int

    @property
    def study_uid(self) -> str:
        return f"{ROOT}.77.{self.number}"

    @property
    def series_uid(self) -> str:
        return f"{self.study_uid}.1"

    @property
    def sop_instance_uid(self) -> str:
        return f"{self.study_uid}.1.1"

    def frame(self, number: int) -> bytes:
        """Frame ``number``, from 1 on. It is no picture: nobody is to decode it."""
        return b"\xff\xd8" + pack("<I", number) + bytes(FRAME_BYTES - 8) + b"\xff\xd9"

    def head(self) -> bytes:
        """The file before its first frame."""
        elements = [
            text(0x00080016, "UI", MULTI_FRAME_WORD),
            text(0x00080018, "UI", self.sop_instance_uid),
            text(0x00080060, "CS", "OT"),
            text(0x00100010, "PN", "Large"),
            text(0x00100020, "LO", f"LARGE{self.number}"),
            text(0x0020000D, "UI", self.study_uid),
            text(0x0020000E, "UI", self.series_uid),
            us(0x00280002, 1),
            text(0x00280004, "CS", "MONOCHROME2"),
            text(0x00280008, "IS", str(self.frame_count)),
            us(0x00280010, ROWS),
            us(0x00280011, ROWS),
            us(0x00280100, 16),
            us(0x00280101, 12),
            us(0x00280102, 11),
            us(0x00280103, 0),
        ]
        pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0"
        return file_head(self.sop_instance_uid, MULTI_FRAME_WORD, JPEG_LS) + encode(elements) + pixels

    @property
    def size_bytes(self) -> int:
        return len(self.head()) + self.frame_count * (8 + FRAME_BYTES) + len(END)

    def pieces(self) -> Iterator[bytes]:
        """The file."""
        yield self.head()
        for number in range(1, self.frame_count + 1):
            yield b"\xfe\xff\x00\xe0" + pack("<I", FRAME_BYTES) + self.frame(number)
        yield END
