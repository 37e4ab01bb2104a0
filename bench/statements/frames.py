"""Frames (PS3.18 10.4.1.1.6, 8.7.3): C36 to C38, B04, B05."""

from bench.data import EXPLICIT_LITTLE
from bench.statements import pictures
from bench.statements.answers import Answer, Part, parameter
from bench.statements.collection import FRAMES, LONG_VALUE
from bench.statements.metadata import profile_link
from bench.statements.objects import JPEG, JPEG_2000, JPEG_LS, RLE, Made
from bench.statements.statement import DATA, WEB, Family, holds, same
from bench.statements.subject import Subject
from bench.statements.web import ANY_FRAME, AS_STORED, MULTIPART_DICOM

family = Family()
states = family.states

HEAD_BYTES_MAX = 1000  # dicomweb-client's JavaScript looks no further for the end of a part's head
PLAIN_FRAME = 'multipart/related; type="application/octet-stream"'
# Of each transfer syntax, the media type of a frame (PS3.18 table 8.7.3-5).
KINDS = {
    EXPLICIT_LITTLE: "application/octet-stream",
    RLE: "image/dicom-rle",
    JPEG: "image/jpeg",
    JPEG_LS: "image/jls",
    JPEG_2000: "image/jp2",
}


def frame(number: int) -> bytes:
    """Of the object with five, or 125."""
    return bytes([number]) * 64


def trimmed(data: bytes) -> bytes:
    """Without padding: at most one byte."""
    return data[:-1] if data.endswith(b"\0") and len(data) % 2 == 0 else data


async def one_frame(subject: Subject, made: Made, accept: str, number: str = "1") -> Part:
    """The only part."""
    return (await subject.web.get(f"{made.path}/frames/{number}", accept)).part()


@states("C36", needs={WEB, DATA})
async def forms_of_accept(subject: Subject) -> None:
    """Frames for the quoted and the unquoted Accept, with and without spaces, and for */*."""
    for accept in (
        'multipart/related; type="application/octet-stream"; transfer-syntax=*',
        'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
        ANY_FRAME,
        "multipart/related;type=application/octet-stream;transfer-syntax=*",
        "*/*",
    ):
        answer = await subject.web.get(f"{subject.made.frames.path}/frames/2", accept)
        holds(answer.status == 200, f"Accept {accept}: {answer.status}")
        same(answer.part().body, frame(2), f"Accept {accept}")


@states("C36", needs={WEB, DATA})
async def explicit_by_default(subject: Subject) -> None:
    """Without a transfer syntax in Accept a compressed frame comes as Explicit VR Little Endian."""
    part = await one_frame(subject, subject.made.rle, PLAIN_FRAME)
    same(part.body, pictures.RAMP, "pixels of an RLE image")
    holds(part.transfer_syntax in ("", EXPLICIT_LITTLE), f"its part says {part.transfer_syntax}")


@states("C37", needs={WEB, DATA})
async def parts_say_what_they_are(subject: Subject) -> None:
    """Parts say media type and transfer syntax, the pair legal; short heads; the closing boundary."""
    for made in (
        subject.made.frames,
        subject.made.rle,
        subject.made.jpeg,
        subject.made.jpeg_2000,
        subject.made.jpeg_ls,
    ):
        answer = await subject.web.get(f"{made.path}/frames/1", ANY_FRAME)
        (part,) = well_formed(answer)
        same((part.media_type, part.transfer_syntax), (KINDS[made.syntax], made.syntax), f"a frame in {made.syntax}")


@states("C37", needs={WEB, DATA})
async def objects_say_what_they_are(subject: Subject) -> None:
    """Parts with whole objects say their transfer syntax."""
    for part in well_formed(await subject.web.get(subject.made.rle.path, AS_STORED)):
        same((part.media_type, part.transfer_syntax), ("application/dicom", RLE), "an object in RLE")


def well_formed(answer: Answer) -> list[Part]:
    """The parts of an answer without any fault of form (RFC 2046 5.1.1)."""
    found = answer.parts()
    boundary = parameter(answer.content_type, "boundary").encode("latin-1")
    holds(answer.body.rstrip(b"\r\n").endswith(b"\r\n--" + boundary + b"--"), f"{answer.asked}: no closing boundary")
    for part in found:
        holds(part.head_length <= HEAD_BYTES_MAX, f"{answer.asked}: a head of {part.head_length} bytes")
        holds(part.media_type, f"{answer.asked}: a part without Content-Type")
    return found


@states("C38", needs={WEB, DATA})
async def frames_in_the_order_asked(subject: Subject) -> None:
    """Several frames come in the order in which they are asked."""
    for numbers in ((1, 2, 3), (3, 1, 2)):
        answer = await subject.web.get(f"{subject.made.frames.path}/frames/{','.join(map(str, numbers))}", ANY_FRAME)
        same([part.body for part in answer.parts()], [frame(number) for number in numbers], f"frames {numbers}")


@states("C38", needs={WEB, DATA})
async def frames_that_are_not_there(subject: Subject) -> None:
    """Frame 0, and one beyond the last, are 4xx."""
    for number in (0, FRAMES + 1):
        answer = await subject.web.get(f"{subject.made.frames.path}/frames/{number}", ANY_FRAME)
        holds(400 <= answer.status < 500, f"frame {number} of {FRAMES}: {answer.status}")


@states("C38", needs={WEB, DATA})
async def compressed_frames_are_bare(subject: Subject) -> None:
    """Compressed frames come without item tags."""
    made = subject.made
    for one, expected in (
        (made.rle, pictures.rle()),
        (made.jpeg, pictures.JPEG),
        (made.jpeg_2000, pictures.JPEG_2000),
        (made.jpeg_ls, pictures.JPEG_LS),
    ):
        part = await one_frame(subject, one, ANY_FRAME)
        same(trimmed(part.body), trimmed(expected), f"a frame in {one.syntax}")


@states("B04", needs={WEB, DATA})
async def parts_of_any_type(subject: Subject) -> None:
    """multipart/related; type="*/*" is taken for frames and bulk data."""
    accept = 'multipart/related; type="*/*"'
    same((await one_frame(subject, subject.made.frames, accept, "3")).body, frame(3), "a frame")
    same((await subject.web.get(await profile_link(subject), accept)).part().body, LONG_VALUE, "bulk data")


@states("B05", needs={WEB, DATA})
async def jpeg_2000_leaves_unfolded(subject: Subject) -> None:
    """A JPEG 2000 image is answered as Explicit VR Little Endian."""
    answer = await subject.web.get(
        subject.made.jpeg_2000.path, MULTIPART_DICOM + "; transfer-syntax=" + EXPLICIT_LITTLE
    )
    part = answer.part()
    holds(pictures.RAMP in part.body, "its pixels are not those that were folded")
