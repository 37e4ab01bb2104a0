"""Storage commitment with a peer made of pynetdicom (C19)."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from engine.model import CommitmentRequest, Reference
from engine.ports import Peer
from native import dataset
from protocols.dimse import classes
from protocols.dimse.commands import Command, Field
from protocols.dimse.event_report import report_of
from protocols.dimse.exchange import Exchange, Gone
from protocols.dimse.services import commitment
from protocols.dimse.status import Status
from tests.protocols.serving import CT, EXPLICIT, STUDY, Served, paper_archive, serving

SERIES = STUDY + ".1"
IMPLICIT = classes.IMPLICIT_LITTLE
ALL = [(CT, f"{SERIES}.{number}") for number in (1, 2, 3)]
OTHER_CLASS = "1.2.840.10008.5.1.4.1.1.4"
FAST = {
    "commitment_pause_seconds": 0.0,
    "commitment_poll_seconds": 0.01,
    "commitment_retry_seconds": 0.01,
    "commitment_retry_seconds_max": 0.05,
}


class Modality:
    """Asks for commitment; its reports come on the association that asked or to its own port."""

    def __init__(self, syntax: str = IMPLICIT, statuses: tuple[int, ...] = ()) -> None:
        from pynetdicom import AE

        self.reports: list[tuple[int, Any, str]] = []
        self.syntax = syntax
        self.port = 0
        self._statuses = list(statuses)
        self._told = threading.Semaphore(0)
        self._application = AE(ae_title="MODALITY")
        self._server: Any = None

    def listen(self, port: int = 0) -> None:
        from pynetdicom import evt

        self._application.add_supported_context(classes.COMMITMENT, self.syntax, scu_role=False, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, partial(self._report, "new"))]
        self._server = self._application.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()

    def ask(
        self,
        port: int,
        wanted: list[tuple[str, str]],
        *,
        transaction: str = "1.2.9",
        action: int = 1,
        instance: str = classes.COMMITMENT_INSTANCE,
        stay_for: int = 0,
    ) -> int:
        """The status of the N-ACTION. ``stay_for`` so many reports before the association is released."""
        from pydicom.dataset import Dataset
        from pynetdicom import evt

        information = Dataset()
        if transaction:
            information.TransactionUID = transaction
        information.ReferencedSOPSequence = []
        for sop_class, uid in wanted:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
            information.ReferencedSOPSequence.append(item)
        self._application.requested_contexts = []
        self._application.add_requested_context(classes.COMMITMENT, self.syntax)
        association = self._application.associate(
            "127.0.0.1", port, evt_handlers=[(evt.EVT_N_EVENT_REPORT, partial(self._report, "same"))]
        )
        assert association.is_established
        answer, _ = association.send_n_action(information, action, classes.COMMITMENT, instance)
        for _ in range(stay_for):
            assert self._told.acquire(timeout=20)
        association.release()
        return int(answer.Status)

    def wait(self) -> None:
        assert self._told.acquire(timeout=20), "no report came"

    def _report(self, where: str, event: Any) -> tuple[int, None]:
        assert event.request.AffectedSOPInstanceUID == classes.COMMITMENT_INSTANCE
        self.reports.append((event.request.EventTypeID, event.event_information, where))
        self._told.release()
        return (self._statuses.pop(0) if self._statuses else 0), None


def named(sequence: Any) -> list[tuple[str, str]]:
    return [(str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)) for item in sequence]


def committing(work: Callable[[Served, Modality], None], modality: Modality, archive: Any = None, **more: Any) -> Any:
    """Run ``work`` in a thread beside a served archive that knows the modality, if that listens."""
    held = archive or paper_archive(3)

    async def check(served: Served) -> None:
        if modality.port:
            served.peers.known["MODALITY"] = Peer("MODALITY", "127.0.0.1", modality.port)
        await trio.to_thread.run_sync(work, served, modality)
        with trio.fail_after(20):
            while held.commitments.requests:
                await trio.lowlevel.checkpoint()

    try:
        serving(check, held, **{**FAST, **more})
    finally:
        modality.close()
    return held


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_C19_reported_on_the_association_that_asked_while_it_is_open(syntax: str) -> None:
    modality = Modality(syntax)

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, ALL, stay_for=1) == 0

    committing(work, modality)
    [(event_type, report, where)] = modality.reports
    assert (event_type, where) == (1, "same")
    assert report.TransactionUID == "1.2.9"
    assert named(report.ReferencedSOPSequence) == ALL
    assert "FailedSOPSequence" not in report
    assert report.RetrieveAETitle == "FILMROOM"


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_C19_reported_on_a_new_association_when_the_first_is_gone(syntax: str) -> None:
    modality = Modality(syntax)
    modality.listen()

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, ALL) == 0
        modality.wait()

    committing(work, modality, commitment_pause_seconds=0.2)
    assert [(event_type, where) for event_type, _, where in modality.reports] == [(1, "new")]
    assert named(modality.reports[0][1].ReferencedSOPSequence) == ALL


def test_C19_failures_are_named_with_their_reason() -> None:
    archive = paper_archive(3)
    archive.commitments.damaged.add(ALL[1][1])
    wanted = [*ALL[:2], (OTHER_CLASS, ALL[2][1]), (CT, "1.2.3")]
    modality = Modality()

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, wanted, stay_for=1) == 0

    committing(work, modality, archive, commitment_wait_seconds=0)
    [(event_type, report, _)] = modality.reports
    assert event_type == 2
    assert named(report.ReferencedSOPSequence) == ALL[:1]
    assert named(report.FailedSOPSequence) == wanted[1:]
    assert [item.FailureReason for item in report.FailedSOPSequence] == [0x0110, 0x0119, 0x0112]


def test_C19_a_request_waits_for_its_images() -> None:
    archive, late = paper_archive(2), paper_archive(3)
    modality = Modality()
    modality.listen()

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, ALL) == 0
        assert archive.commitments.requests
        assert not modality.reports
        archive.rows.append(late.rows[2])
        modality.wait()

    committing(work, modality, archive)
    assert [event_type for event_type, _, _ in modality.reports] == [1]


def test_C19_what_never_comes_fails_when_the_wait_is_over() -> None:
    archive = paper_archive(2)
    modality = Modality()
    modality.listen()

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, ALL) == 0
        archive.commitments.now_seconds = 3599
        assert not modality.reports
        archive.commitments.now_seconds = 3601
        modality.wait()

    committing(work, modality, archive)
    [(event_type, report, _)] = modality.reports
    assert event_type == 2
    assert [item.FailureReason for item in report.FailedSOPSequence] == [0x0112]


def test_C19_reports_are_tried_again_until_they_are_taken() -> None:
    """The peer is down, comes up, and refuses twice."""
    modality = Modality(statuses=(0x0110, 0x0110))
    modality.listen()
    port = modality.port
    modality.close()

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, ALL) == 0
        modality.listen(port)
        for _ in range(3):
            modality.wait()

    committing(work, modality)
    assert [where for _, _, where in modality.reports][-2:] == ["new", "new"]


def test_C19_a_report_that_nobody_takes_is_given_up_at_its_deadline(caplog: pytest.LogCaptureFixture) -> None:
    archive = paper_archive(3)
    modality = Modality(statuses=(0x0110,))  # should the report come before the release
    modality.port = 1

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, ALL) == 0
        archive.commitments.now_seconds = 10 * 86_400

    committing(work, modality, archive)
    assert "commitment given up" in caplog.text


def test_C19_an_unknown_requestor_is_answered_where_it_asked_and_the_log_says_how_to_know_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "filmroom.dimse")
    archive = paper_archive(3)
    modality = Modality()

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, ALL, stay_for=1) == 0
        assert modality.ask(served.port, ALL) == 0
        archive.commitments.now_seconds = 10 * 86_400

    committing(work, modality, archive, commitment_pause_seconds=0.2)
    assert [where for _, _, where in modality.reports] == ["same"]
    assert "filmroom aet add MODALITY HOST" in caplog.text


def test_C19_asking_again_replaces_and_both_are_reported() -> None:
    archive = paper_archive(2)
    modality = Modality()
    modality.listen()

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, ALL) == 0
        assert modality.ask(served.port, ALL[:2]) == 0
        modality.wait()

    committing(work, modality, archive)
    assert [named(report.ReferencedSOPSequence) for _, report, _ in modality.reports] == [ALL[:2]]


def test_C19_what_was_left_open_is_reported_by_the_next_run() -> None:
    archive = paper_archive(3)
    request = CommitmentRequest(
        requestor="MODALITY", transaction_uid="1.2.9", asked_us=0, references=tuple(Reference(*one) for one in ALL)
    )
    archive.commitments.requests[request.name] = request
    modality = Modality()
    modality.listen()
    committing(lambda _, modality: modality.wait(), modality, archive)
    assert [event_type for event_type, _, _ in modality.reports] == [1]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"wanted": []}, Status.INVALID_ARGUMENT),
        ({"transaction": ""}, Status.INVALID_ARGUMENT),
        ({"action": 2}, Status.NO_SUCH_ACTION),
        ({"instance": "1.2.3"}, Status.NO_SUCH_INSTANCE),
    ],
)
def test_C19_what_cannot_be_asked_is_refused(change: dict[str, Any], status: Status) -> None:
    modality = Modality()

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, **{"wanted": ALL, **change}) == status

    archive = committing(work, modality)
    assert not archive.commitments.requests


def test_C19_a_request_that_cannot_be_kept_is_refused() -> None:
    archive = paper_archive(3)
    archive.commitments.full = True

    def work(served: Served, modality: Modality) -> None:
        assert modality.ask(served.port, ALL) == Status.RESOURCE_LIMITATION

    committing(work, Modality(), archive)


def test_C19_a_request_is_reported_also_when_its_answer_was_not_taken() -> None:
    """It is on disk: with the association gone at once, its report goes over a new one, and not at the next start."""
    archive = paper_archive(3)
    taken: list[str] = []

    class Hearer:
        def take(self, request: CommitmentRequest, *_: object) -> None:
            taken.append(request.transaction_uid)

    class Line:
        async def send(self, data: bytes) -> None:
            raise Gone("connection failed")

    elements = ((0x00081195, "UI", b"1.2"), (0x00081199, "SQ", items(b"".join(
        dataset.element(tag, "UI", uid.encode()) for tag, uid in ((0x00081150, CT), (0x00081155, "1.3"))
    ))))  # fmt: skip
    identifier = b"".join(dataset.element(*one) for one in elements)
    exchange = Exchange(
        Line(),
        action(),
        1,
        EXPLICIT,
        identifier,
        calling_ae_title="M",
        pdu_bytes_max=16384,
        send_bytes=1,  # type: ignore[arg-type]
    )
    site = SimpleNamespace(archive=archive, reporter=Hearer())
    with pytest.raises(Gone):
        trio.run(commitment.answer, exchange, site, None)
    assert taken == ["1.2"]


def items(item: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item


def action(**change: Any) -> Command:
    fields = {"sop_instance_uid": classes.COMMITMENT_INSTANCE, "type_id": 1, **change}
    return Command(Field.N_ACTION_RQ, 1, classes.COMMITMENT, True, **fields)


@pytest.mark.parametrize(
    ("hostile", "status"),
    [
        (b"", Status.INVALID_ARGUMENT),
        (b"\x08\x00\x95\x11\x04\x00\x00\x00", Status.PROCESSING_FAILURE),
        (b"\x08\x00\x95\x11\x04\x00\x00\x001.x\0", Status.INVALID_ARGUMENT),
        (b"\x08\x00\x95\x11\x04\x00\x00\x001.2\0", Status.INVALID_ARGUMENT),
    ],
)
def test_C19_hostile_requests_are_refused_in_words(hostile: bytes, status: Status) -> None:
    with pytest.raises(commitment.Refused) as refused:
        commitment.read(action(), hostile, IMPLICIT)
    assert refused.value.status == status


@pytest.mark.parametrize("lacking", ["ReferencedSOPClassUID", "ReferencedSOPInstanceUID"])
def test_C19_an_item_without_one_of_its_uids_is_refused(lacking: str) -> None:
    from pydicom.dataset import Dataset
    from pydicom.filebase import DicomIO
    from pydicom.filewriter import write_dataset

    information = Dataset()
    information.TransactionUID = "1.2.9"
    information.ReferencedSOPSequence = [Dataset(), Dataset()]
    for item in information.ReferencedSOPSequence:
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, "1.2.3"
    del information.ReferencedSOPSequence[0][lacking]
    buffer = DicomIO(BytesIO())
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, information)
    with pytest.raises(commitment.Refused) as refused:
        commitment.read(action(), buffer.parent.getvalue(), IMPLICIT)
    assert refused.value.status == Status.INVALID_ARGUMENT


def test_C19_a_report_of_many_instances_is_sound_in_both_syntaxes() -> None:
    from native import dataset

    many = tuple(Reference(CT, f"{SERIES}.{number}") for number in range(8000))
    request = CommitmentRequest(requestor="MODALITY", transaction_uid="1.2.9", asked_us=0, references=many)
    report = report_of(request, ["committed"] * len(many), "FILMROOM")
    for syntax in (IMPLICIT, EXPLICIT):
        walked = dataset.walk(report.encoded(syntax), syntax)
        assert sum(path == "00081199.00081155" for path, *_ in walked) == len(many)
