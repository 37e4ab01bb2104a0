"""Small DICOM files by seed: what is sent in these trials, as first sent, encoded anew, or with other content.

Own encoder, twenty lines, so that a fault in the code under test is not in the input as well.
"""

import random
from struct import pack
from typing import Final, Literal

import msgspec

Encoding = Literal["explicit", "undefined", "implicit"]

ROOT: Final = "1.2.826.0.1.3680043.10.1338.9"
SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
SYNTAXES: Final = {
    "explicit": "1.2.840.10008.1.2.1",
    "undefined": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
}
_LONG: Final = {"OB", "OW", "SQ", "UN", "UT"}


class Send(msgspec.Struct, frozen=True):
    """One file to send: instance ``number`` of a seed. Other ``content`` under the same UID is another version.

    ``elsewhere``: under the same UID in another study, as an instance of its own.
    """

    seed: int
    number: int
    content: int = 0
    encoding: Encoding = "explicit"
    large: bool = False
    elsewhere: bool = False

    @property
    def study_uid(self) -> str:
        return f"{ROOT}.{self.seed}.{(self.number + self.elsewhere) % 3}"

    @property
    def series_uid(self) -> str:
        return f"{self.study_uid}.{self.number % 2}"

    @property
    def sop_instance_uid(self) -> str:
        return f"{ROOT}.{self.seed}.{self.number % 3}.{self.number % 2}.{self.number}"

    @property
    def name(self) -> tuple[str, str, str]:
        return (self.study_uid, self.series_uid, self.sop_instance_uid)

    @property
    def patient_id(self) -> str:
        return f"P{self.seed}-{self.number % 3}"

    def dataset(self) -> bytes:
        """The data set in its encoding."""
        return _Encoder(self.encoding).elements(self._elements())

    def file(self) -> bytes:
        """The Part-10 file (PS3.10 7.1)."""
        encoder = _Encoder("explicit")
        meta = encoder.elements(
            [
                (0x00020001, "OB", b"\0\1"),
                (0x00020002, "UI", SECONDARY_CAPTURE),
                (0x00020003, "UI", self.sop_instance_uid),
                (0x00020010, "UI", SYNTAXES[self.encoding]),
                (0x00020012, "UI", f"{ROOT}.0"),
            ]
        )
        length = encoder.elements([(0x00020000, "UL", pack("<I", len(meta)))])
        return b"\0" * 128 + b"DICM" + length + meta + self.dataset()

    def _elements(self) -> list[tuple[int, str, object]]:
        chance = random.Random(f"{self.seed}/{self.number}/{self.content}")
        rows = _rows(chance, self.large)
        return [
            (0x00080016, "UI", SECONDARY_CAPTURE),
            (0x00080018, "UI", self.sop_instance_uid),
            (0x00080020, "DA", f"2024{self.number % 12 + 1:02}15"),
            (0x00080060, "CS", "OT"),
            (0x00081140, "SQ", [(0x00081150, "UI", SECONDARY_CAPTURE), (0x00081155, "UI", f"{ROOT}.7")]),
            (0x00100010, "PN", f"Trial^{self.number % 3}"),
            (0x00100020, "LO", self.patient_id),
            (0x0020000D, "UI", self.study_uid),
            (0x0020000E, "UI", self.series_uid),
            (0x00200013, "IS", str(self.number)),
            (0x00204000, "LT", f"content {self.content}"),
            (0x00280002, "US", pack("<H", 1)),
            (0x00280004, "CS", "MONOCHROME2"),
            (0x00280010, "US", pack("<H", rows)),
            (0x00280011, "US", pack("<H", 256)),
            (0x00280100, "US", pack("<H", 16)),
            (0x00280101, "US", pack("<H", 16)),
            (0x00280102, "US", pack("<H", 15)),
            (0x00280103, "US", pack("<H", 0)),
            (0x7FE00010, "OW", chance.randbytes(rows * 512)),
        ]


def plan(seed: int, count: int, *, large_every: int = 9) -> list[Send]:
    """What a trial sends: new instances, some of them again, encoded anew, with other content, in another study."""
    chance = random.Random(f"plan {seed}")
    sends = [Send(seed, 0, large=True)]
    while len(sends) < count:
        fate = chance.random()
        earlier = chance.choice(sends)
        if fate < 0.7:
            number = max(send.number for send in sends) + 1
            sends.append(Send(seed, number, large=number % large_every == 0))
        elif fate < 0.8:
            sends.append(earlier)
        elif fate < 0.9:
            again: Encoding = chance.choice(("undefined", "implicit", "explicit"))
            sends.append(msgspec.structs.replace(earlier, encoding=again))
        elif fate < 0.97:
            sends.append(msgspec.structs.replace(earlier, content=earlier.content + 1))
        else:
            sends.append(msgspec.structs.replace(earlier, elsewhere=True))
    return sends


def _rows(chance: random.Random, large: bool) -> int:
    """512 bytes each: mostly small, now and then near the gather limit of the trials (64 KiB), large ones above it."""
    if large:
        return chance.randrange(160, 700)
    return chance.randrange(1, 20) if chance.random() < 0.7 else chance.randrange(20, 126)


class _Encoder:
    """Little endian, in one of three ways (PS3.5 7.1, 7.5)."""

    def __init__(self, encoding: Encoding) -> None:
        self._implicit = encoding == "implicit"
        self._undefined = encoding == "undefined"

    def elements(self, elements: list[tuple[int, str, object]]) -> bytes:
        return b"".join(self._element(*element) for element in elements)

    def _element(self, tag: int, vr: str, value: object) -> bytes:
        length = None
        if isinstance(value, list):
            item = self.elements(value)
            length = 0xFFFFFFFF if self._undefined else None
            data = pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF if self._undefined else len(item)) + item
            if self._undefined:
                data += pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        else:
            data = value if isinstance(value, bytes) else str(value).encode()
            if len(data) % 2:
                data += b"\0" if vr == "UI" else b" "
        length = len(data) if length is None else length
        head = pack("<HH", tag >> 16, tag & 0xFFFF)
        if self._implicit:
            return head + pack("<I", length) + data
        if vr in _LONG:
            return head + vr.encode() + pack("<HI", 0, length) + data
        return head + vr.encode() + pack("<H", length) + data
