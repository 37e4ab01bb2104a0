"""Seeded studies like those of the paper: by default 5 series of 104 CT images of 204 kB, about 60 attributes each.

The same shape and seed give the same bytes on every machine. All is streamed: only a series' template is held.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack

import msgspec
from msgspec import Struct

from bench.elements import Element, encode, encoded, merged, sequence, text, us
from bench.phantom import slice_pixels

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
JPEG_2000 = "1.2.840.10008.1.2.4.90"  # lossless
ROOT = "1.2.826.0.1.3680043.10.1338"
STUB_PIXEL_BYTES = 256

# family name, given name, sex, character set, Python's name of it
PEOPLE = (
    ("Kowalska", "Anna", "F", "ISO_IR 100", "latin-1"),
    ("Müller", "Hans", "M", "ISO_IR 100", "latin-1"),
    ("Doe", "Jane", "F", "ISO_IR 100", "latin-1"),
    ("García", "Lucía", "F", "ISO_IR 192", "utf-8"),
    ("Nowak", "Piotr", "M", "ISO_IR 192", "utf-8"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "", "M", "ISO_IR 192", "utf-8"),
    ("Smith", "Adam", "M", "ISO_IR 100", "latin-1"),
    ("Ångström", "Åsa", "F", "ISO_IR 100", "latin-1"),
)
STUDIES = ("CT chest", "CT abdomen with contrast", "CT head", "CT chest follow-up")
SERIES = ("Topogram", "Native 2.0", "Arterial 2.0", "Venous 2.0", "Lung 1.0")


class Shape(Struct, frozen=True, kw_only=True):
    """What to make. ``rows``: side of the square picture (320: 204,800 bytes); ``stub``: 256 bytes of pixels."""

    studies: int = 1
    series: int = 5
    instances: int = 104
    rows: int = 320
    seed: int = 1
    stub: bool = False

    @property
    def instance_count(self) -> int:
        return self.studies * self.series * self.instances


class File(Struct, frozen=True):
    """One generated Part-10 file."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    name: str
    data: bytes
    sop_class: str = CT


def files(shape: Shape) -> Iterator[File]:
    """Every file of the shape, study by study."""
    for study in range(shape.studies):
        yield from study_files(shape, study)


def study_files(shape: Shape, study: int) -> Iterator[File]:
    """The files of one study (counted from 0); its bytes do not depend on how many studies there are."""
    chance = random.Random(f"{shape.seed}/{study}")
    uid = study_uid(shape, study)
    common, encoding = study_elements(chance, uid, shape.seed, study)
    for series in range(shape.series):
        series_uid = f"{uid}.{series + 1}"
        shared = encoded([*common, *series_elements(chance, series_uid, series, encoding)])
        for number in range(1, shape.instances + 1):
            sop_uid = f"{series_uid}.{number}"
            own = encoded(instance_elements(shape, sop_uid, number))
            body = merged(shared, own) + _pixels(chance, shape, number)
            name = f"study{study + 1:05d}/series{series + 1:02d}/{number:05d}.dcm"
            yield File(uid, series_uid, sop_uid, name, file_head(sop_uid) + body)


def study_uid(shape: Shape, study: int) -> str:
    """Study Instance UID; those of its series and instances are numbered below it."""
    return f"{ROOT}.{shape.seed}.{study + 1}"


def patient_id(shape: Shape, study: int) -> str:
    """PatientID of a study's patient: each study has its own."""
    return _patient_id(shape.seed, study)


def in_jpeg_2000(file: File, shape: Shape, encode: Callable[[bytes], bytes]) -> File:
    """The file with its picture as one fragment (PS3.5 A.4) that ``encode`` makes of the samples."""
    size = 2 * shape.rows**2
    begin, end = len(file_head(file.sop_instance_uid)), len(file.data) - size - 12
    codestream = encode(file.data[-size:])
    codestream += b"\0" * (len(codestream) & 1)
    pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0"
    pixels += b"\xfe\xff\x00\xe0" + pack("<I", len(codestream)) + codestream + b"\xfe\xff\xdd\xe0\0\0\0\0"
    whole = file_head(file.sop_instance_uid, transfer_syntax_uid=JPEG_2000) + file.data[begin:end] + pixels
    return msgspec.structs.replace(file, data=whole)


def study_day(shape: Shape, study: int) -> str:
    """The day of a study, on which all its series begin: the first at 8, the others an hour later each."""
    elements, _ = study_elements(random.Random(f"{shape.seed}/{study}"), "", shape.seed, study)
    return next(value.decode() for tag, _, value in elements if tag == 0x00080020)


def write(shape: Shape, folder: Path) -> int:
    """Write the files below ``folder``, skipping what an earlier run finished; returns their count."""
    count = 0
    for file in files(shape):
        path = folder / file.name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(file.data)
            unfinished.rename(path)
        count += 1
    return count


def _patient_id(seed: int, study: int) -> str:
    return f"PID{seed:03d}{study:06d}"


def file_head(sop_uid: str, sop_class: str = CT, transfer_syntax_uid: str = EXPLICIT_LITTLE) -> bytes:
    """Preamble and file meta information (PS3.10 7.1)."""
    meta = encode(
        [
            (0x00020001, "OB", b"\0\1"),
            text(0x00020002, "UI", sop_class),
            text(0x00020003, "UI", sop_uid),
            text(0x00020010, "UI", transfer_syntax_uid),
            text(0x00020012, "UI", f"{ROOT}.0"),
        ]
    )
    return b"\0" * 128 + b"DICM" + encode([(0x00020000, "UL", pack("<I", len(meta)))]) + meta


def study_elements(chance: random.Random, study_uid: str, seed: int, study: int) -> tuple[list[Element], str]:
    """Elements of patient and study, and the encoding of their text."""
    family, given, sex, charset, encoding = PEOPLE[chance.randrange(len(PEOPLE))]
    name = family if "=" in family else f"{family}^{given}"
    day = f"20{chance.randrange(18, 26):02d}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
    time = f"{chance.randrange(7, 20):02d}{chance.randrange(60):02d}{chance.randrange(60):02d}"
    born = f"19{chance.randrange(30, 99)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
    procedure = STUDIES[chance.randrange(len(STUDIES))]
    code = [text(0x00080100, "SH", "CTCHEST"), text(0x00080102, "SH", "99FR"), text(0x00080104, "LO", procedure)]
    elements = [
        text(0x00080005, "CS", charset),
        text(0x00080020, "DA", day),
        text(0x00080021, "DA", day),
        text(0x00080022, "DA", day),
        text(0x00080023, "DA", day),
        text(0x00080030, "TM", time),
        text(0x00080050, "SH", f"ACC{seed:03d}{study:06d}"),
        text(0x00080060, "CS", "CT"),
        text(0x00080070, "LO", "Filmroom Generator"),
        text(0x00080080, "LO", "Generated Hospital"),
        text(0x00080090, "PN", "Referrer^Rita", encoding),
        text(0x00081010, "SH", f"CT{chance.randrange(1, 5)}"),
        text(0x00081030, "LO", procedure),
        sequence(0x00081032, code),
        text(0x00081090, "LO", "Phantom 1"),
        text(0x00100010, "PN", name, encoding),
        text(0x00100020, "LO", _patient_id(seed, study)),
        text(0x00100021, "LO", "GENERATED"),
        text(0x00100030, "DA", born),
        text(0x00100040, "CS", sex),
        text(0x00101010, "AS", "055Y"),
        text(0x00101030, "DS", f"{chance.randrange(500, 1100) / 10}"),
        text(0x0020000D, "UI", study_uid),
        text(0x00200010, "SH", f"S{study + 1}"),
        text(0x00200052, "UI", f"{study_uid}.0"),
    ]
    return elements, encoding


def series_elements(chance: random.Random, series_uid: str, series: int, encoding: str) -> list[Element]:
    """Elements of a series: the first begins at 8, the others an hour later each."""
    begun = f"{8 + series % 10:02d}{chance.randrange(60):02d}{chance.randrange(60):02d}"
    protocol = [text(0x00080100, "SH", f"P{series}"), text(0x00080102, "SH", "99FR"), text(0x00080104, "LO", "Scan")]
    request = [
        text(0x00321060, "LO", "Requested scan"),
        text(0x00400007, "LO", "Scheduled step"),
        sequence(0x00400008, protocol),
        text(0x00400009, "SH", f"SPS{series + 1}"),
        text(0x00401001, "SH", f"RP{series + 1}"),
    ]
    return [
        text(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        text(0x00080016, "UI", CT),
        text(0x00080031, "TM", begun),
        text(0x00080032, "TM", begun),
        text(0x00080033, "TM", begun),
        text(0x0008103E, "LO", SERIES[series % len(SERIES)]),
        text(0x00081050, "PN", "Performer^Pia", encoding),
        text(0x00090010, "LO", "FILMROOM GENERATOR 1.0"),
        text(0x00091001, "LO", f"detector {chance.randrange(1, 9)}"),
        text(0x00091002, "DS", f"{chance.randrange(1000) / 100}"),
        text(0x00180015, "CS", "CHEST"),
        text(0x00180022, "CS", "HELICAL MODE"),
        text(0x00180050, "DS", "2.0"),
        text(0x00180060, "DS", "120"),
        text(0x00180090, "DS", "350"),
        text(0x00181030, "LO", "Thorax routine"),
        text(0x00181100, "DS", "350"),
        text(0x00181120, "DS", "0"),
        text(0x00181151, "IS", str(chance.randrange(80, 300))),
        text(0x00181210, "SH", "B31f"),
        text(0x00185100, "CS", "HFS"),
        text(0x00190010, "LO", "FILMROOM TIMING"),
        text(0x00191008, "IS", str(chance.randrange(1000))),
        text(0x0020000E, "UI", series_uid),
        text(0x00200011, "IS", str(series + 1)),
        text(0x00200012, "IS", "1"),
        text(0x00200037, "DS", "1\\0\\0\\0\\1\\0"),
        text(0x00201040, "LO", ""),
        sequence(0x00400275, request),
    ]


def instance_elements(shape: Shape, sop_uid: str, number: int) -> list[Element]:
    """Elements of an instance, but for its pixels."""
    rows, columns = (16, 8) if shape.stub else (shape.rows, shape.rows)
    height = f"{-2 * number}.0"
    return [
        text(0x00080018, "UI", sop_uid),
        text(0x00200013, "IS", str(number)),
        text(0x00200032, "DS", f"-175\\-175\\{height}"),
        text(0x00201041, "DS", height),
        us(0x00280002, 1),
        text(0x00280004, "CS", "MONOCHROME2"),
        us(0x00280010, rows),
        us(0x00280011, columns),
        text(0x00280030, "DS", f"{350 / columns:.6f}\\{350 / rows:.6f}"),
        us(0x00280100, 16),
        us(0x00280101, 12),
        us(0x00280102, 11),
        us(0x00280103, 0),
        text(0x00281050, "DS", "40"),
        text(0x00281051, "DS", "400"),
        text(0x00281052, "DS", "-1024"),
        text(0x00281053, "DS", "1"),
    ]


def _pixels(chance: random.Random, shape: Shape, number: int) -> bytes:
    """Pixel Data: the picture of this slice, its last bytes replaced by chance so that no two instances are alike."""
    mark = pixel_mark(chance)
    if shape.stub:
        value = mark * (STUB_PIXEL_BYTES // len(mark))
    else:
        value = slice_pixels(shape.rows, number - 1, shape.instances)[: -len(mark)] + mark
    return pixel_data(value)


def pixel_mark(chance: random.Random) -> bytes:
    """Sixteen pixels by chance: no two pictures are alike."""
    return chance.randbytes(32).translate(_LOW_NIBBLES)


def pixel_data(value: bytes) -> bytes:
    """The last element."""
    return b"\xe0\x7f\x10\x00OW\0\0" + pack("<I", len(value)) + value


_LOW_NIBBLES = bytes(value & 0x07 for value in range(256))
