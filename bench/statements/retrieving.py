"""C-GET and C-MOVE (PS3.4 C.4.2, C.4.3): C15 to C18."""

from collections.abc import Sequence

import trio

from bench.data import CT, EXPLICIT_LITTLE
from bench.statements import pictures
from bench.statements.asking import (
    COMPLETED,
    FAILED,
    PATIENT_ROOT_GET,
    REMAINING,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    WARNING,
    Moved,
    get,
    keys_of,
    move,
)
from bench.statements.association import PLAIN, Proposal
from bench.statements.destination import destination
from bench.statements.objects import IMPLICIT_LITTLE, MR, RLE, SECONDARY_CAPTURE, Made
from bench.statements.statement import DATA, DIMSE, MOVE, Family, Untried, holds, only, same
from bench.statements.subject import Subject

family = Family()
states = family.states

UNKNOWN_DESTINATION, WARNED = 0xA801, 0xB000
VIDEO_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
MOVERS = 16


async def got(
    subject: Subject, classes: dict[str, Sequence[str]], level: str, model: str = STUDY_ROOT_GET, **keywords: str
) -> Moved:
    """What a C-GET brings, each class in these syntaxes. Untried when C-GET is not offered."""
    proposals: list[Proposal] = [(model, PLAIN), *classes.items()]
    async with subject.associate(proposals, roles=[(name, False, True) for name in classes]) as opened:
        if opened.contexts[1][1]:
            raise Untried("C-GET is not offered")
        return await get(opened, keys_of(level, **keywords), model)


def check_whole(moved: Moved, made: list[Made]) -> None:
    """All of these came, and the counters say so."""
    same(f"{moved.final.status:04X}", "0000", "the last status")
    same({one.sop for one in moved.got}, {one.sop for one in made}, "what came")
    check_counters(moved, len(made))


def check_counters(moved: Moved, total: int, failed: int = 0) -> None:
    """Counters of every response add up, and those of the last are final (PS3.4 C.4.2.1.6)."""
    for response in moved.responses[:-1]:
        counts = [response.number(element) for element in (REMAINING, COMPLETED, FAILED, WARNING)]
        same(sum(counts), total, f"remaining, completed, failed and warning of a pending response ({counts}) add up to")
    final = moved.final
    same((final.number(COMPLETED), final.number(FAILED)), (total - failed, failed), "completed and failed at the end")


@states("C15", needs={DIMSE, DATA})
async def an_unknown_destination(subject: Subject) -> None:
    """C-MOVE to an unknown AE title is A801."""
    async with subject.associate([(STUDY_ROOT_MOVE, PLAIN)]) as opened:
        keys = keys_of("STUDY", StudyInstanceUID=subject.made.ct[0].study)
        moved = await move(opened, keys, f"NOBODY{subject.run.mark}")
        same(f"{moved.final.status:04X}", f"{UNKNOWN_DESTINATION:04X}", "status")


@states("C15", needs={DIMSE, DATA, MOVE})
async def counters_and_failures(subject: Subject) -> None:
    """C-MOVE counts right in every response; what failed is B000 and listed in (0008,0058)."""
    made = subject.made.ct + subject.made.mr
    keys = keys_of("STUDY", StudyInstanceUID=made[0].study)
    async with destination(subject) as there, subject.associate([(STUDY_ROOT_MOVE, PLAIN)]) as opened:
        moved = await move(opened, keys, subject.asked.move_to)
        same(f"{moved.final.status:04X}", "0000", "the last status")
        same({one.sop for one in there.got}, {one.sop for one in made}, "what came")
        check_counters(moved, len(made))
    refused = made[1].sop
    async with (
        destination(subject, frozenset([refused])) as there,
        subject.associate([(STUDY_ROOT_MOVE, PLAIN)]) as opened,
    ):
        moved = await move(opened, keys, subject.asked.move_to)
        same(f"{moved.final.status:04X}", f"{WARNED:04X}", "the last status, one instance refused")
        same(moved.failed_uids, [refused], "(0008,0058) FailedSOPInstanceUIDList")
        check_counters(moved, len(made), 1)


@states("C16", needs={DIMSE, DATA})
async def as_stored_when_accepted(subject: Subject) -> None:
    """An object is sent in its own transfer syntax when that is accepted."""
    made = subject.made.rle
    classes = {SECONDARY_CAPTURE: [IMPLICIT_LITTLE, EXPLICIT_LITTLE, RLE]}
    one = only((await _own_or_any(subject, classes, made)).got, "instances that came")
    same((one.syntax, one.body), (RLE, made.body), "what came")


async def _own_or_any(subject: Subject, classes: dict[str, list[str]], made: Made) -> Moved:
    """One instance, each syntax proposed in a context of its own."""
    proposals: list[Proposal] = [(STUDY_ROOT_GET, PLAIN)]
    proposals += [(name, [syntax]) for name, syntaxes in classes.items() for syntax in syntaxes]
    async with subject.associate(proposals, roles=[(name, False, True) for name in classes]) as opened:
        if opened.contexts[1][1]:
            raise Untried("C-GET is not offered")
        above = {"StudyInstanceUID": made.study, "SeriesInstanceUID": made.series}
        return await get(opened, keys_of("IMAGE", **above, SOPInstanceUID=made.sop))


@states("C16", needs={DIMSE, DATA})
async def unfolded_when_not(subject: Subject) -> None:
    """Else it is unfolded: an RLE image for who takes Explicit or Implicit VR Little Endian alone."""
    for syntax in (EXPLICIT_LITTLE, IMPLICIT_LITTLE):
        moved = await _own_or_any(subject, {SECONDARY_CAPTURE: [syntax]}, subject.made.rle)
        same(f"{moved.final.status:04X}", "0000", f"the last status, {syntax} alone taken")
        one = only(moved.got, "instances that came")
        holds(one.syntax == syntax and pictures.RAMP in one.body, f"its pixels are not unfolded in {syntax}")


@states("C16", needs={DIMSE, DATA})
async def only_what_cannot_be_made_fails(subject: Subject) -> None:
    """What cannot be unfolded (a film) fails alone; the rest of its study comes."""
    classes: dict[str, Sequence[str]] = {
        VIDEO_CLASS: [EXPLICIT_LITTLE],
        SECONDARY_CAPTURE: [EXPLICIT_LITTLE],
        "1.2.840.10008.5.1.4.1.1.104.1": [EXPLICIT_LITTLE],
    }
    moved = await got(subject, classes, "STUDY", StudyInstanceUID=subject.made.video.study)
    same({one.sop for one in moved.got}, {subject.made.pdf.sop, subject.made.bulky.sop}, "what came")
    check_counters(moved, 3, 1)
    same(f"{moved.final.status:04X}", f"{WARNED:04X}", "the last status")


@states("C17", needs={DIMSE, DATA})
async def getting_at_every_level(subject: Subject) -> None:
    """C-GET with role selection of a patient, a study, a series and an image, on the association that asks."""
    made = subject.made
    classes: dict[str, Sequence[str]] = {CT: PLAIN, MR: PLAIN}
    study = {"StudyInstanceUID": made.ct[0].study}
    series = {**study, "SeriesInstanceUID": made.ct[0].series}
    try:
        patient = {"PatientID": f"CONF-{subject.run.mark}-1"}
        check_whole(
            await got(subject, classes, "PATIENT", PATIENT_ROOT_GET, **patient), [*made.ct, *made.mr, made.prior]
        )
        check_whole(await got(subject, classes, "STUDY", **study), made.ct + made.mr)
        check_whole(await got(subject, classes, "SERIES", **series), made.ct)
        check_whole(await got(subject, classes, "IMAGE", **series, SOPInstanceUID=made.ct[1].sop), [made.ct[1]])
    except Untried as untried:
        holds(False, str(untried))


@states("C18", needs={DIMSE, DATA, MOVE})
async def sixteen_moves_at_once(subject: Subject) -> None:
    """16 concurrent C-MOVE complete."""
    made = subject.made.ct
    keys = keys_of("SERIES", StudyInstanceUID=made[0].study, SeriesInstanceUID=made[0].series)

    async def ask() -> None:
        async with subject.associate([(STUDY_ROOT_MOVE, PLAIN)]) as opened:
            moved = await move(opened, keys, subject.asked.move_to)
            same((f"{moved.final.status:04X}", moved.final.number(COMPLETED)), ("0000", len(made)), "status, completed")

    async with destination(subject) as there:
        async with trio.open_nursery() as nursery:
            for _ in range(MOVERS):
                nursery.start_soon(ask)
        same(len(there.got), MOVERS * len(made), "instances that came")
