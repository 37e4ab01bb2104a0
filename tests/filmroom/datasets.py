"""Data sets written byte by byte, sound and unsound, with patient data that no log may show."""

import struct
import zlib

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
ROOT = "1.2.826.0.1.3680043.10.1407.77"
PATIENT_NAME, PATIENT_ID = "Zzyzx^Quillabamba", "XK-4711-SECRET"
UNDEFINED = 0xFFFFFFFF
_LONG = frozenset((b"OB", b"OW", b"OF", b"OD", b"OL", b"SQ", b"UC", b"UR", b"UT", b"UN"))
_ITEM, _ITEM_END, _SEQUENCE_END = (struct.pack("<HH", 0xFFFE, number) for number in (0xE000, 0xE00D, 0xE0DD))


def element(tag: int, vr: str, value: bytes | str, length: int | None = None) -> bytes:
    """Explicit VR Little Endian, padded; ``length`` says another length than there is."""
    raw = value.encode("latin-1") if isinstance(value, str) else value
    if length is None:
        raw += (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(raw) % 2)
        length = len(raw)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HI", 0, length) if vr.encode() in _LONG else struct.pack("<H", length)) + raw


def implicit(tag: int, value: bytes | str) -> bytes:
    raw = value.encode("latin-1") if isinstance(value, str) else value
    raw += b"\0" * (len(raw) % 2)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(raw)) + raw


class Named:
    """The identity of one instance, in a study of its own."""

    def __init__(self, number: int) -> None:
        self.study = f"{ROOT}.{number}"
        self.series = f"{self.study}.1"
        self.sop = f"{self.series}.1"

    def dataset(self, *more: bytes, sop: str | None = None, study: str | None = None, sop_class: str = CT) -> bytes:
        """Patient, study, series and instance, then ``more`` (tags above 0020,000E)."""
        return self.begin(sop=sop, sop_class=sop_class) + self.patient() + self.relation(study) + b"".join(more)

    def begin(self, *, sop: str | None = None, sop_class: str = CT) -> bytes:
        return element(0x00080016, "UI", sop_class) + element(0x00080018, "UI", self.sop if sop is None else sop)

    def patient(self) -> bytes:
        return element(0x00100010, "PN", PATIENT_NAME) + element(0x00100020, "LO", PATIENT_ID)

    def relation(self, study: str | None = None) -> bytes:
        uid = self.study if study is None else study
        return element(0x0020000D, "UI", uid) + element(0x0020000E, "UI", self.series)


def nested(depth: int) -> bytes:
    """A sequence of undefined length with as many below it."""
    begin = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, UNDEFINED) + _ITEM + struct.pack("<I", UNDEFINED)
    return begin * depth + (_ITEM_END + bytes(4) + _SEQUENCE_END + bytes(4)) * depth


def empty_items(count: int) -> bytes:
    """One sequence of so many empty items."""
    items = (_ITEM + bytes(4)) * count
    return struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, len(items)) + items


def many_elements(count: int) -> bytes:
    """So many private elements, each with a creator at the head of its group."""
    made, group = [], 0x0021
    while count > 0:
        made.append(element(group << 16 | 0x10, "LO", "FILMROOM TEST"))
        now = min(count, 0xF0)
        made += [element(group << 16 | 0x1000 | low, "LO", "v") for low in range(now)]
        count -= now
        group += 2
    return b"".join(made)


def deflated(plain: bytes) -> bytes:
    """The whole data set as PS3.5 A.5 wants it, padded to even length."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(plain) + packer.flush()
    return packed + b"\0" * (len(packed) % 2)


def deflate_bomb(named: Named, size: int) -> bytes:
    """About a thousandth of ``size`` that inflates to it: a sound data set with zeros as pixels."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = named.dataset() + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size)
    packed = packer.compress(head)
    zeros = bytes(1 << 20)
    for _ in range(size >> 20):
        packed += packer.compress(zeros)
    packed += packer.flush()
    return packed + b"\0" * (len(packed) % 2)
