"""Storing over the web (PS3.18 10.5): C44 to C47, O14."""

from collections.abc import AsyncIterator
from xml.etree import ElementTree

from bench.data import EXPLICIT_LITTLE
from bench.statements.answers import Answer, Row, value, values_of
from bench.statements.objects import Made, instance, written
from bench.statements.statement import LARGE, WEB, WRITE, Family, holds, only, same
from bench.statements.subject import Subject
from bench.statements.web import BOUNDARY, JSON, body_of, content_type

family = Family()
states = family.states

STORED, FAILED, REASON, INSTANCE = "00081199", "00081198", "00081197", "00081155"
OTHER_FAILURES = "0008119A"  # of parts that name no instance
LARGE_COUNT = 10_000
LARGE_SECONDS_MAX = 600
PIECE_BYTES = 100


def instances_of(answer: Row, tag: str) -> set[str]:
    """Which instances a sequence of the answer names."""
    return {value(item, INSTANCE) for item in values_of(answer, tag)}


async def post(subject: Subject, body: bytes | AsyncIterator[bytes], kind: str, path: str = "/studies") -> Answer:
    """A request with this body and Content-Type."""
    return await subject.web.ask("POST", path, {"Content-Type": kind, "Accept": JSON}, body)


async def check_kept(subject: Subject, made: list[Made], form: str = "") -> None:
    """All of a study are found."""
    found = {value(row, "00080018") for row in await subject.web.rows(f"/studies/{made[0].study}/instances")}
    same(found, {one.sop for one in made}, f"instances found after the answer 200{f' ({form})' if form else ''}")


@states("C44", needs={WEB, WRITE})
async def forms_of_a_body(subject: Subject) -> None:
    """A leading CRLF, a quoted or bare boundary, a part that names its transfer syntax, an end without CRLF."""
    head = f"Content-Type: application/dicom;transfer-syntax={EXPLICIT_LITTLE}\r\n".encode()
    for name in ("leading CRLF", "bare boundary", "transfer syntax in the part", "no CRLF at the end"):
        made = subject.fresh()
        body = body_of([made[0].file], b"\r\n" if name == "leading CRLF" else b"")
        if name == "transfer syntax in the part":
            body = body_of([made[0].file], head=head)
        elif name == "no CRLF at the end":
            body = body.removesuffix(b"\r\n")
        answer = await post(subject, body, content_type(BOUNDARY if name == "bare boundary" else f'"{BOUNDARY}"'))
        holds(answer.status == 200, f"{name}: {answer.status}")
        await check_kept(subject, made, name)


@states("C44", needs={WEB, WRITE})
async def a_chunked_body(subject: Subject) -> None:
    """A body in chunks, without Content-Length."""
    made = subject.fresh(2)

    async def pieces() -> AsyncIterator[bytes]:
        body = body_of([one.file for one in made])
        for at in range(0, len(body), PIECE_BYTES):
            yield body[at : at + PIECE_BYTES]

    (await post(subject, pieces(), content_type())).expect(200)
    await check_kept(subject, made)


@states("C44", needs={WEB, WRITE})
async def one_instance_as_the_body(subject: Subject) -> None:
    """One instance as application/dicom, without parts."""
    made = subject.fresh()
    (await post(subject, made[0].file, "application/dicom")).expect(200)
    await check_kept(subject, made)


@states("C45", needs={WEB, WRITE})
async def the_answer_in_json(subject: Subject) -> None:
    """All kept: 200, and ReferencedSOPSequence alone, with class, instance and URL of each."""
    made = subject.fresh(2)
    answer = (await subject.web.store([one.file for one in made])).expect(200).json()
    same(instances_of(answer, STORED), {one.sop for one in made}, "instances in ReferencedSOPSequence")
    holds(not values_of(answer, FAILED), "FailedSOPSequence where nothing failed")
    item = values_of(answer, STORED)[0]
    same(value(item, "00081150"), made[0].sop_class, "ReferencedSOPClassUID")
    holds(value(item, "00081190"), "no RetrieveURL")


@states("C45", needs={WEB, WRITE})
async def the_answer_in_xml(subject: Subject) -> None:
    """In XML when only that is asked."""
    made = subject.fresh()
    answer = (await subject.web.store([made[0].file], accept="application/dicom+xml")).expect(200)
    same(answer.media_type, "application/dicom+xml", "Content-Type")
    try:
        ElementTree.fromstring(answer.body)
    except ElementTree.ParseError as error:
        holds(False, f"no XML: {error}")
    holds(made[0].sop.encode() in answer.body, "the XML does not name the instance")


@states("C45", needs={WEB, WRITE})
async def some_and_none(subject: Subject) -> None:
    """Some kept: 202; none: 409, with a FailureReason each."""
    good, wrong = subject.fresh(), b"no DICOM at all" * 20
    some = (await subject.web.store([good[0].file, wrong])).expect(202).json()
    same(instances_of(some, STORED), {good[0].sop}, "instances kept of two")
    none = (await subject.web.store([wrong])).expect(409).json()
    for answer in (some, none):
        items = values_of(answer, FAILED) + values_of(answer, OTHER_FAILURES)
        same(len(items), 1, "items of FailedSOPSequence and OtherFailuresSequence")
        holds(value(items[0], REASON) > 0, "no FailureReason")


@states("C46", needs={WEB, WRITE})
async def another_study(subject: Subject) -> None:
    """To /studies/UID: an instance of another study fails (43265), the others are kept."""
    right, other = subject.fresh(), subject.fresh()
    answer = (await subject.web.store([right[0].file, other[0].file], right[0].study)).expect(202).json()
    same(instances_of(answer, STORED), {right[0].sop}, "kept")
    same(instances_of(answer, FAILED), {other[0].sop}, "failed")
    same(value(values_of(answer, FAILED)[0], REASON), 43265, "FailureReason")


@states("C46", needs={WEB, WRITE})
async def parts_that_are_no_dicom(subject: Subject) -> None:
    """A part that is no DICOM is a failed item or a refusal, never a 5xx; what comes beside it is kept."""
    for wrong in (b"", b"\x89PNG\r\n\x1a\n" + bytes(200), b"\0" * 128 + b"DICM" + b"\xff" * 60):
        made = subject.fresh()
        answer = await subject.web.store([made[0].file, wrong])
        holds(answer.status < 500, f"{len(wrong)} bytes that are no DICOM: {answer.status}")
        await check_kept(subject, made)


@states("C46", needs={WEB, WRITE})
async def patients_without_an_id(subject: Subject) -> None:
    """An instance without a PatientID is kept."""
    for absent in ("", None):
        made = subject.fresh(PatientID=absent)
        (await subject.web.store([made[0].file])).expect(200, 202)
        await check_kept(subject, made)


@states("C47", needs={WEB, WRITE, LARGE}, seconds_max=LARGE_SECONDS_MAX)
async def many_in_one_request(subject: Subject) -> None:
    """10,000 instances in one request are kept."""
    number = subject.new_study()
    first = written(instance(subject.run, number, 1, 10_000, **subject.other_patient()))
    subject.studies.add(first.study)

    async def pieces() -> AsyncIterator[bytes]:
        head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        for at in range(10_000, 10_000 + LARGE_COUNT):
            sop = first.sop[:-5] + str(at)  # of the same length: no other byte of the file changes
            yield head + first.file.replace(first.sop.encode(), sop.encode()) + b"\r\n"
        yield f"--{BOUNDARY}--\r\n".encode()

    (await post(subject, pieces(), content_type())).expect(200)
    row = only(await subject.web.rows(f"/studies?StudyInstanceUID={first.study}&includefield=00201208"))
    same(int(value(row, "00201208")), LARGE_COUNT, "instances of the study")


@states("O14", needs={WEB, WRITE})
async def an_upload_is_listed_at_once(subject: Subject) -> None:
    """A viewer's upload is answered in DICOM JSON and listed at once."""
    for end in (b"\r\n", b""):
        made = subject.fresh()
        body = b"\r\n" + body_of([made[0].file]).removesuffix(b"\r\n") + end
        headers = {"Content-Type": content_type(), "Accept": "*/*"}
        answer = (await subject.web.ask("POST", "/studies", headers, body)).expect(200)
        same(instances_of(answer.json(), STORED), {made[0].sop}, "instances in the answer")
        rows = await subject.web.rows(f"/studies?StudyInstanceUID={made[0].study}")
        same([value(row, "0020000D") for row in rows], [made[0].study], "listed at once")
