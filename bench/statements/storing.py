"""C-STORE (PS3.4 B): C04 to C08."""

import trio
from pydicom.dataset import Dataset

from bench.data import CT, EXPLICIT_LITTLE, ROOT
from bench.statements import pictures
from bench.statements.asking import STUDY_ROOT_FIND, STUDY_ROOT_GET, found, get, keys_of, texts
from bench.statements.association import PLAIN, Proposal, store
from bench.statements.objects import (
    DEFLATED,
    EXPLICIT_BIG,
    IMPLICIT_LITTLE,
    JPEG,
    JPEG_2000,
    JPEG_LS,
    MPEG4,
    MR,
    RLE,
    SECONDARY_CAPTURE,
    Keywords,
    Made,
    body_of,
    compressed,
    instance,
    with_pixels,
    written,
)
from bench.statements.statement import DIMSE, WRITE, Family, Untried, holds, same
from bench.statements.subject import Subject
from bench.statements.web import AS_STORED

family = Family()
states = family.states

PRIVATE_CLASS = f"{ROOT}.9.9.1"
CLASSES = (CT, MR, SECONDARY_CAPTURE, "1.2.840.10008.5.1.4.1.1.5", "1.2.840.10008.5.1.4.1.1.77.1.6", PRIVATE_CLASS)
NATIVE = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED)
COMPRESSED = {
    JPEG: pictures.JPEG,
    "1.2.840.10008.1.2.4.51": pictures.JPEG,
    "1.2.840.10008.1.2.4.57": pictures.JPEG,
    "1.2.840.10008.1.2.4.70": pictures.JPEG,
    JPEG_LS: pictures.JPEG_LS,
    "1.2.840.10008.1.2.4.81": pictures.JPEG_LS,
    JPEG_2000: pictures.JPEG_2000,
    "1.2.840.10008.1.2.4.91": pictures.JPEG_2000,
    RLE: pictures.rle(),
    "1.2.840.10008.1.2.4.100": pictures.video(),
    MPEG4: pictures.video(),
    "1.2.840.10008.1.2.4.107": pictures.video(),
    "1.2.840.10008.1.2.4.201": pictures.JPEG_2000,
    "1.2.840.10008.1.2.4.202": pictures.JPEG_2000,
    "1.2.840.10008.1.2.4.203": pictures.JPEG_2000,
}
SENDERS = 10
TIMES = 10


def of_every_kind(subject: Subject) -> list[Made]:
    """One study: each storage class in Explicit VR, and an image in each transfer syntax."""
    number = subject.new_study()
    facts: Keywords = subject.other_patient()
    made = []
    for at, sop_class in enumerate(CLASSES, 1):
        one = instance(subject.run, number, 1, at, SOPClassUID=sop_class, **facts)
        made.append(written(with_pixels(one, pictures.RAMP)))
    for at, syntax in enumerate(NATIVE, 1):
        one = instance(subject.run, number, 2, at, SOPClassUID=SECONDARY_CAPTURE, **facts)
        made.append(written(with_pixels(one, pictures.RAMP), syntax))
    for at, (syntax, fragment) in enumerate(COMPRESSED.items(), 1):
        one = instance(subject.run, number, 3, at, SOPClassUID=SECONDARY_CAPTURE, **facts)
        made.append(written(compressed(one, fragment), syntax))
    subject.studies.add(made[0].study)
    return made


async def fetched(subject: Subject, made: list[Made]) -> dict[str, bytes]:
    """Data sets as they are stored, by SOP Instance UID: each by a C-GET that takes its syntax alone, or by WADO-RS."""
    back: dict[str, bytes] = {}
    for one in made:
        proposals: list[Proposal] = [(STUDY_ROOT_GET, PLAIN), (one.sop_class, [one.syntax])]
        async with subject.associate(proposals, roles=[(one.sop_class, False, True)]) as opened:
            if opened.contexts[1][1]:
                return await _read(subject, made)
            above = {"StudyInstanceUID": one.study, "SeriesInstanceUID": one.series}
            moved = await get(opened, keys_of("IMAGE", **above, SOPInstanceUID=one.sop))
            back |= {got.sop: got.body for got in moved.got}
    return back


async def _read(subject: Subject, made: list[Made]) -> dict[str, bytes]:
    if not subject.has_web:
        raise Untried("it does not offer C-GET, and --against URL was not given: what it stored cannot be read back")
    return {one.sop: body_of((await subject.web.get(one.path, AS_STORED)).part().body) for one in made}


@states("C04", needs={DIMSE, WRITE}, seconds_max=60)
async def every_class_and_syntax(subject: Subject) -> None:
    """Storage classes (retired, private) and 19 transfer syntaxes are taken; stored bytes equal the received ones."""
    made = of_every_kind(subject)
    refused, sent = [], []
    proposals: list[Proposal] = [(one.sop_class, [one.syntax]) for one in made]
    async with subject.associate(proposals) as opened:
        for at, one in enumerate(made):
            if opened.contexts[2 * at + 1][1]:
                refused.append(f"{one.sop_class} in {one.syntax}")
                continue
            status = (await opened.store(one, 2 * at + 1)).status
            if status:
                refused.append(f"{one.sop_class} in {one.syntax} ({status:04X})")
            else:
                sent.append(one)
    holds(sent, "none was taken")
    back = await fetched(subject, sent)
    other = [f"{one.sop_class} in {one.syntax}" for one in sent if back.get(one.sop) != one.body]
    problems = [f"{len(refused)} of {len(made)} refused ({refused[0]})"] if refused else []
    problems += [f"{len(other)} of {len(sent)} came back as other bytes or not ({other[0]})"] if other else []
    holds(not problems, "; ".join(problems))


@states("C05", needs={DIMSE, WRITE})
async def the_next_query_sees_it(subject: Subject) -> None:
    """What was answered by success is found by the next C-FIND (durability cannot be seen from outside)."""
    made = subject.fresh(TIMES)
    async with subject.associate([(CT, [EXPLICIT_LITTLE]), (STUDY_ROOT_FIND, PLAIN)]) as opened:
        for count, one in enumerate(made, 1):
            same((await opened.store(one)).status, 0, "status of the C-STORE")
            rows = await found(opened, _instances(one))
            same(len(rows), count, "instances found right behind it")


def _instances(one: Made) -> Dataset:
    return keys_of("IMAGE", StudyInstanceUID=one.study, SeriesInstanceUID=one.series, SOPInstanceUID="")


@states("C06", needs={DIMSE, WRITE}, seconds_max=15)
async def failures_say_what_they_are(subject: Subject) -> None:
    """A data set of another class or instance is A900; one that nobody understands C000 or A900; none is B000."""
    made = subject.fresh(3)
    facts: Keywords = {**subject.other_patient(), "SOPClassUID": MR, "SOPInstanceUID": made[0].sop}
    other = written(instance(subject.run, subject.new_study(), **facts))
    subject.studies.add(other.study)
    async with subject.associate([(CT, [EXPLICIT_LITTLE])]) as opened:
        good = await opened.store(made[2])
        same(f"{good.status:04X}", "0000", "status of a sound object")
        mismatched = await opened.store(made[0], data=other.body)
        same(f"{mismatched.status & 0xFF00:04X}", "A900", "status of MR in a C-STORE of CT, but for its last byte")
        unreadable = await opened.store(made[1], data=b"\xff\xfe\x41\x00" * 64)
        kind = unreadable.status & 0xF000
        holds(kind == 0xC000 or unreadable.status & 0xFF00 == 0xA900, f"status of garbage: {unreadable.status:04X}")


@states("C07", needs={DIMSE, WRITE})
async def sent_again(subject: Subject) -> None:
    """The same instance again, re-encoded too: 0000 and no duplicate."""
    made = subject.fresh()[0]
    again = written(made.dataset, IMPLICIT_LITTLE)
    contexts: list[Proposal] = [(CT, [EXPLICIT_LITTLE]), (CT, [IMPLICIT_LITTLE]), (STUDY_ROOT_FIND, PLAIN)]
    async with subject.associate(contexts) as opened:
        for one in (made, made, again):
            same((await opened.store(one)).status, 0, "status of the C-STORE")
        same(len(await found(opened, _instances(made))), 1, "instances found")


@states("C07", needs={DIMSE, WRITE})
async def other_content_under_its_uid(subject: Subject) -> None:
    """Other content under the same UID is answered by 0000, and the first stays current."""
    number = subject.new_study()
    facts: Keywords = subject.other_patient()
    first, other = (
        written(with_pixels(instance(subject.run, number, ImageComments=words, **facts), pictures.RAMP))
        for words in ("first", "other")
    )
    subject.studies.add(first.study)
    for one in (first, other):
        await _store(subject, one)
    back = await fetched(subject, [first])
    holds(b"first" in back.get(first.sop, b""), "what is retrieved is not the first")


async def _store(subject: Subject, one: Made) -> None:
    """Over an association of its own."""
    refused = await store(subject.target, [one], subject.asked.calling)
    holds(not refused, refused.get(one.sop, ""))


@states("C08", needs={DIMSE, WRITE})
async def ten_senders_of_a_new_study(subject: Subject) -> None:
    """Ten associations that send the first images of a new study at once all succeed; counts are exact."""
    made = subject.fresh(SENDERS)

    async def send(one: Made) -> None:
        await _store(subject, one)

    async with trio.open_nursery() as nursery:
        for one in made:
            nursery.start_soon(send, one)
    async with subject.associate([(STUDY_ROOT_FIND, PLAIN)]) as opened:
        same(len(await found(opened, _instances(made[0]))), SENDERS, "instances found")
        keys = keys_of("STUDY", StudyInstanceUID=made[0].study, NumberOfStudyRelatedInstances="")
        rows = await found(opened, keys)
        same(len(rows), 1, "studies found")
        counted = texts(rows, "NumberOfStudyRelatedInstances")
        holds(counted in ({str(SENDERS)}, {""}), f"NumberOfStudyRelatedInstances: {counted}")  # C13: not all count
