"""Storage commitment (PS3.4 J): C19."""

import trio
from pydicom.dataset import Dataset

from bench.lean import Command
from bench.statements.association import N_ACTION, N_EVENT_REPORT, RESPONSE, Association, decoded, encoded
from bench.statements.destination import Report, destination
from bench.statements.objects import IMPLICIT_LITTLE, Made
from bench.statements.statement import DATA, DIMSE, MOVE, Family, Untried, same
from bench.statements.subject import Subject

family = Family()
states = family.states

COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
REQUEST, ALL_KEPT, SOME_FAILED = 1, 1, 2
NO_SUCH_INSTANCE, INVALID_ARGUMENT = 0x0112, 0x0115
HERE_SECONDS_MAX, ELSEWHERE_SECONDS_MAX = 5, 25


def _request(uid: str, wanted: list[tuple[str, str]]) -> Dataset:
    made = Dataset()
    made.TransactionUID = uid
    items = []
    for sop_class, sop in wanted:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop
        items.append(item)
    made.ReferencedSOPSequence = items
    return made


async def _ask(opened: Association, request: Dataset) -> int:
    """The status of the N-ACTION."""
    command: Command = {0x3: COMMITMENT, 0x100: N_ACTION, 0x110: opened.next_id(), 0x1001: INSTANCE, 0x1008: REQUEST}
    await opened.send(opened.context(COMMITMENT), command, encoded(request, is_implicit=True))
    answer = await opened.message()
    same(answer.number(0x100), N_ACTION | RESPONSE, "the command field of the answer")
    return answer.status


def _check(report: Report, uid: str, kept: list[Made], missing: str = "") -> None:
    said = decoded(report.data, report.is_implicit)
    same(str(said.get("TransactionUID")), uid, "TransactionUID")
    named = [str(item.ReferencedSOPInstanceUID) for item in said.get("ReferencedSOPSequence", [])]
    same(sorted(named), sorted(one.sop for one in kept), "instances that are committed")
    failed = [(str(item.ReferencedSOPInstanceUID), item.FailureReason) for item in said.get("FailedSOPSequence", [])]
    same(failed, [(missing, NO_SUCH_INSTANCE)] if missing else [], "instances that are not, with the reason")
    same(report.event_type, SOME_FAILED if missing else ALL_KEPT, "event type")


async def _report_here(opened: Association, why: str) -> Report:
    """On the association that asked. Untried when it does not come."""
    with trio.move_on_after(HERE_SECONDS_MAX):
        message = await opened.message()
        same(message.number(0x100), N_EVENT_REPORT, "the command field of what came")
        command: Command = {0x2: COMMITMENT, 0x100: N_EVENT_REPORT | RESPONSE, 0x120: message.number(0x110), 0x900: 0}
        await opened.send(message.context, {**command, 0x1000: INSTANCE, 0x1002: message.number(0x1002)})
        return Report(message.number(0x1002), message.data, is_implicit=True)
    raise Untried(f"the request is taken, and no report came on its association within {HERE_SECONDS_MAX} s: {why}")


def _wanted(made: list[Made]) -> list[tuple[str, str]]:
    return [(one.sop_class, one.sop) for one in made]


@states("C19", needs={DIMSE, DATA})
async def a_report_of_what_is_kept(subject: Subject) -> None:
    """N-ACTION in Implicit VR is taken, and a report says that all is kept."""
    uid, made = f"{subject.run.root}.19.1", subject.made.ct
    async with subject.associate([(COMMITMENT, [IMPLICIT_LITTLE])]) as opened:
        same(await _ask(opened, _request(uid, _wanted(made))), 0, "status of the N-ACTION")
        _check(await _report_here(opened, "it may call back whom it knows (--move-to AET:PORT)"), uid, made)


@states("C19", needs={DIMSE, DATA})
async def a_report_of_what_is_missing(subject: Subject) -> None:
    """What is not kept is reported with 0112."""
    uid, missing, made = f"{subject.run.root}.19.2", f"{subject.run.root}.404", subject.made.ct
    async with subject.associate([(COMMITMENT, [IMPLICIT_LITTLE])]) as opened:
        wanted = [*_wanted(made), (made[0].sop_class, missing)]
        same(await _ask(opened, _request(uid, wanted)), 0, "status of the N-ACTION")
        _check(await _report_here(opened, "it may wait for what is yet to come"), uid, made, missing)


@states("C19", needs={DIMSE, DATA, MOVE}, seconds_max=ELSEWHERE_SECONDS_MAX + 15)
async def a_report_by_another_association(subject: Subject) -> None:
    """Who has released the association is called back."""
    uid, made = f"{subject.run.root}.19.3", subject.made.ct
    async with destination(subject) as there:
        async with subject.associate([(COMMITMENT, [IMPLICIT_LITTLE])], calling=subject.asked.move_to) as opened:
            same(await _ask(opened, _request(uid, _wanted(made))), 0, "status of the N-ACTION")
        with trio.fail_after(ELSEWHERE_SECONDS_MAX):
            await there.reported.wait()
        _check(there.reports[0], uid, made)


@states("C19", needs={DIMSE})
async def a_request_for_nothing(subject: Subject) -> None:
    """A request without references is 0115."""
    async with subject.associate([(COMMITMENT, [IMPLICIT_LITTLE])]) as opened:
        status = await _ask(opened, _request(f"{subject.run.root}.19.3", []))
        same(f"{status:04X}", f"{INVALID_ARGUMENT:04X}", "status of the N-ACTION")
