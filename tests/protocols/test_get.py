"""C-GET with real peers (C16, C17), and peers that break off in the middle."""

import struct
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.ports import Peer
from native import pdu
from protocols.dimse import classes
from protocols.dimse.commands import Element, Field
from protocols.dimse.negotiation import propose
from protocols.dimse.requestor import echo
from protocols.dimse.services.suboperations import Retrieval
from tests.protocols.hostile_peer import element, receive_pdu
from tests.protocols.serving import CT, EXPLICIT, STUDY, Served, header, paper_archive, serving
from tests.protocols.small_archive import SmallArchive
from tests.protocols.test_retrieve import field

MPEG2 = "1.2.840.10008.1.2.4.100"
SERIES = STUDY + ".1"
EVERY_LEVEL = [
    ("S", ("8,52=STUDY", f"20,d={STUDY}"), 30),
    ("S", ("8,52=SERIES", f"20,d={STUDY}", f"20,e={SERIES}"), 30),
    ("S", ("8,52=IMAGE", f"20,d={STUDY}", f"20,e={SERIES}", f"8,18={SERIES}.1\\{SERIES}.2"), 2),
    ("P", ("8,52=PATIENT", "10,20=P1"), 30),
    ("P", ("8,52=STUDY", "10,20=P1", f"20,d={STUDY}"), 30),
    ("P", ("8,52=SERIES", "10,20=P1", f"20,d={STUDY}", f"20,e={SERIES}"), 30),
    ("P", ("8,52=IMAGE", "10,20=P1", f"20,d={STUDY}", f"20,e={SERIES}", f"8,18={SERIES}.7"), 1),
]


async def getscu(served: Served, folder: Path, *wanted: str, model: str = "S", options: tuple[str, ...] = ()) -> str:
    keys = [part for key in wanted for part in ("-k", key)]
    arguments = ("-d", f"-{model}", "-aec", "FILMROOM", "+B", "-od", str(folder), *options)
    _, output = await served.run("getscu", *arguments, "127.0.0.1", str(served.port), *keys)
    return output


def datasets(folder: Path) -> list[bytes]:
    """What stands behind the file meta information of each file."""
    found = []
    for raw in [path.read_bytes() for path in folder.rglob("*") if path.is_file()]:
        found.append(raw[144 + struct.unpack_from("<I", raw, 140)[0] :])
    return sorted(found)


@pytest.mark.parametrize(("model", "wanted", "count"), EVERY_LEVEL)
def test_C17_getscu_gets_every_level_as_it_was_stored(
    tmp_path: Path, model: str, wanted: tuple[str, ...], count: int
) -> None:
    archive = paper_archive(30)

    async def check(served: Served) -> None:
        output = await getscu(served, tmp_path, *wanted, model=model)
        assert field(output, "DIMSE Status")[-1].startswith("0x0000"), output
        assert output.count("(Proposed)") >= 120, "getscu proposes every storage class that it knows"
        got = datasets(tmp_path)
        assert len(got) == count
        assert set(got) <= set(archive.datasets.values())

    serving(check, archive)


def pynetdicom_get(
    port: int,
    keys: dict[str, object],
    *,
    model: str,
    classes_taken: list[str],
    status: int = 0,
    syntax: str = EXPLICIT,
) -> tuple[list[int], list[bytes], Any]:
    """Statuses of the responses, the data sets received, the final response and its data set."""
    from pydicom.dataset import Dataset
    from pynetdicom import AE, build_role, evt

    received: list[bytes] = []

    def keep(event: "evt.Event") -> int:
        received.append(event.request.DataSet.getvalue())
        return status

    application = AE(ae_title="GETTER")
    application.add_requested_context(model)
    for sop_class in classes_taken:
        application.add_requested_context(sop_class, syntax)
    roles = [build_role(sop_class, scp_role=True) for sop_class in classes_taken]
    wanted = Dataset()
    for keyword, value in keys.items():
        setattr(wanted, keyword, value)
    association = application.associate(
        "127.0.0.1", port, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, keep)], ae_title="FILMROOM"
    )
    assert association.is_established
    try:
        answers = [(answered, identifier) for answered, identifier in association.send_c_get(wanted, model)]
    finally:
        association.release()
    return [answered.Status for answered, _ in answers], received, answers[-1]


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (classes.PATIENT_ROOT_GET, {"QueryRetrieveLevel": "PATIENT", "PatientID": "P1"}),
        (classes.STUDY_ROOT_GET, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": STUDY}),
        (
            classes.STUDY_ROOT_GET,
            {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES},
        ),
        (
            classes.STUDY_ROOT_GET,
            {
                "QueryRetrieveLevel": "IMAGE",
                "StudyInstanceUID": STUDY,
                "SeriesInstanceUID": SERIES,
                "SOPInstanceUID": [f"{SERIES}.{number + 1}" for number in range(12)],
            },
        ),
    ],
)
def test_C17_pynetdicom_gets_every_level(model: str, keys: dict[str, object]) -> None:
    archive = paper_archive(12)

    async def check(served: Served) -> None:
        get = partial(pynetdicom_get, served.port, keys, model=model, classes_taken=[CT])
        statuses, received, (final, _) = await trio.to_thread.run_sync(get)
        assert statuses[-1] == 0x0000
        assert set(statuses[:-1]) <= {0xFF00}
        assert sorted(received) == sorted(archive.datasets.values())
        assert final.NumberOfCompletedSuboperations == 12

    serving(check, archive)


def test_C17_a_refused_instance_is_counted_and_named() -> None:
    async def check(served: Served) -> None:
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": STUDY}
        get = partial(
            pynetdicom_get, served.port, keys, model=classes.STUDY_ROOT_GET, classes_taken=[CT], status=0xA700
        )
        statuses, received, (final, _) = await trio.to_thread.run_sync(get)
        assert (statuses[-1], len(received)) == (0xA702, 3)
        assert final.NumberOfFailedSuboperations == 3

    serving(check, paper_archive(3))


def test_C17_what_the_peer_is_not_scp_of_fails_alone() -> None:
    archive = paper_archive(3)
    made = header(PatientID="P1", StudyInstanceUID=STUDY, SeriesInstanceUID=STUDY + ".2", SOPInstanceUID=STUDY + ".2.1")
    archive.add(made, made, "1.2.840.10008.5.1.4.1.1.4", EXPLICIT)

    async def check(served: Served) -> None:
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": STUDY}
        get = partial(pynetdicom_get, served.port, keys, model=classes.STUDY_ROOT_GET, classes_taken=[CT])
        statuses, received, (final, failed) = await trio.to_thread.run_sync(get)
        assert (statuses[-1], len(received)) == (0xB000, 3)
        assert final.NumberOfFailedSuboperations == 1
        assert failed.FailedSOPInstanceUIDList == STUDY + ".2.1"

    serving(check, archive)


def test_C16_what_can_only_be_sent_as_it_is_fails_alone(tmp_path: Path) -> None:
    archive = paper_archive(2)
    made = header(PatientID="P1", StudyInstanceUID=STUDY, SeriesInstanceUID=STUDY + ".2", SOPInstanceUID=STUDY + ".2.1")
    archive.add(made, made, CT, MPEG2)

    async def check(served: Served) -> None:
        output = await getscu(served, tmp_path, "8,52=STUDY", f"20,d={STUDY}")
        assert field(output, "DIMSE Status")[-1].lower().startswith("0xb000"), output
        assert len(datasets(tmp_path)) == 2

    serving(check, archive)


def test_no_match_is_success(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        output = await getscu(served, tmp_path, "8,52=STUDY", "20,d=1.2.3")
        assert field(output, "DIMSE Status")[-1].startswith("0x0000"), output

    serving(check, paper_archive(1))


class Getter:
    """A peer on a bare socket that asks for the study of the paper archive and answers C-STORE as a test wants."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.stores = 0
        self.received = bytearray()

    @classmethod
    async def ask(cls, served: Served, *, behind: bytes = b"") -> "Getter":
        """``behind``: bytes sent together with the request."""
        stream = await served.connect()
        pairs = [(classes.STUDY_ROOT_GET, classes.IMPLICIT_LITTLE), (CT, EXPLICIT)]
        request = propose("PEER", "FILMROOM", pairs, 16384, roles=[(CT, False, True)])
        await stream.send_all(pdu.encode_associate_request(request))
        kind, body = await receive_pdu(stream)
        assert kind == 2
        assert pdu.decode_associate_accept(body).user.roles == [(CT, False, True)]
        getter = cls(stream)
        identifier = element(8, 0x52, b"STUDY ") + element(
            0x20, 0xD, STUDY.encode().ljust(len(STUDY) + len(STUDY) % 2, b"\0")
        )
        command = {
            Element.AFFECTED_SOP_CLASS: classes.STUDY_ROOT_GET,
            Element.COMMAND_FIELD: Field.C_GET_RQ,
            Element.MESSAGE_ID: 7,
            Element.PRIORITY: 0,
            Element.DATASET_TYPE: 1,
        }
        message = pdu.encode_message(1, pdu.encode_command({int(k): v for k, v in command.items()}), identifier, 16384)
        await stream.send_all(message + behind)
        return getter

    async def next(self) -> dict[int, int | str | bytes | list[int]]:
        """The next command that we get; data sets are skipped."""
        while True:
            whole = await self.pdu()
            assert whole[0] == 4, whole[0]
            if whole[11] & 1:
                return pdu.decode_command(whole[12:])

    async def pdu(self) -> bytes:
        while len(self.received) < 6 or len(self.received) < 6 + int.from_bytes(self.received[2:6], "big"):
            more = await self.stream.receive_some(65536)
            assert more, "the connection is closed"
            self.received += more
        length = 6 + int.from_bytes(self.received[2:6], "big")
        whole = bytes(self.received[:length])
        del self.received[:length]
        return whole

    async def confirm(self, store: dict[int, int | str | bytes | list[int]], status: int = 0) -> None:
        await self.stream.send_all(self.confirmation(store, status))

    def confirmation(self, store: dict[int, int | str | bytes | list[int]], status: int = 0) -> bytes:
        answer = {0x2: CT, 0x100: 0x8001, 0x120: store[0x110], 0x800: 0x101, 0x900: status, 0x1000: store[0x1000]}
        return bytes(pdu.encode_message(3, pdu.encode_command(answer), None, 16384))

    @staticmethod
    def cancel() -> bytes:
        return bytes(pdu.encode_message(1, pdu.encode_command({0x100: 0x0FFF, 0x120: 7, 0x800: 0x101}), None, 16384))


def test_C17_cancel_ends_it_in_order() -> None:
    async def check(served: Served) -> None:
        getter = await Getter.ask(served)
        command = await getter.next()
        while command[0x100] != Field.C_STORE_RQ:
            command = await getter.next()
        # cut inside the C-CANCEL, behind an answer: who receives next must still find it whole
        together = getter.confirmation(command) + getter.cancel()
        await getter.stream.send_all(together[:-10])
        await getter.stream.send_all(together[-10:])
        while command.get(0x900) != 0xFE00:
            command = await getter.next()
            if command[0x100] == Field.C_STORE_RQ:
                getter.stores += 1
                await getter.confirm(command)
        assert getter.stores <= 3
        assert command[0x1020] == 100 - int(command[0x1021])
        assert (await echo(Peer("FILMROOM", "127.0.0.1", served.port))) == 0

    serving(check, paper_archive(100))


def test_C17_a_pending_response_comes_while_an_answer_is_waited_for() -> None:
    async def check(served: Served) -> None:
        getter = await Getter.ask(served)
        command = await getter.next()
        while command[0x100] != Field.C_STORE_RQ:
            command = await getter.next()
        for _ in range(3):
            pending = await getter.next()
            assert (pending[0x100], pending[0x900]) == (0x8010, 0xFF00)
            assert (pending[0x1020], pending[0x1021]) == (2, 0)
        await getter.confirm(command)
        while command[0x100] != 0x8010 or command[0x900] == 0xFF00:
            command = await getter.next()
            if command[0x100] == Field.C_STORE_RQ:
                await getter.confirm(command)
        assert (command[0x900], command[0x1021]) == (0, 2)

    serving(check, paper_archive(2), pending_seconds=0.04)


def test_C17_nothing_is_sent_while_half_a_command_is_there() -> None:
    """It belongs to who receives: the sender would take its other half for something of its own."""

    async def check(served: Served) -> None:
        half = len(Getter.cancel()) // 2
        getter = await Getter.ask(served, behind=Getter.cancel()[:half])
        assert (await getter.next())[0x900] == 0xFF00
        await getter.stream.send_all(Getter.cancel()[half:])
        command = await getter.next()
        while command[0x100] == Field.C_STORE_RQ or command[0x900] == 0xFF00:
            if command[0x100] == Field.C_STORE_RQ:
                await getter.confirm(command)
            command = await getter.next()
        assert command[0x900] == 0xFE00

    serving(check, paper_archive(100), pending_seconds=0.04)


def test_C17_pending_responses_never_come_into_the_middle_of_an_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer reads nothing while a large instance fills the socket and pending responses fall due."""
    archive = paper_archive(1)
    uid = archive.rows[0].instance.sop_instance_uid
    large = archive.datasets[uid] + b"\0" * (32 << 20)
    archive.replace(uid, large)
    waiting, say = set[int](), Retrieval._say

    async def saying(retrieval: Retrieval) -> None:
        waiting.add(id(retrieval))
        await say(retrieval)
        waiting.clear()

    monkeypatch.setattr(Retrieval, "_say", saying)

    async def check(served: Served) -> None:
        getter = await Getter.ask(served)
        while (await getter.next())[0x100] != Field.C_STORE_RQ:
            pass
        while not waiting:
            await trio.lowlevel.checkpoint()
        controls = [0]
        while controls[-1] != 2:
            controls.append((await getter.pdu())[11])
        assert set(controls) == {0, 2}, "fragments of the data set, and nothing else"
        await getter.stream.aclose()

    serving(check, archive, pending_seconds=0.02)


def test_a_peer_that_does_not_answer_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def check(served: Served) -> None:
        getter = await Getter.ask(served)
        with pytest.raises((AssertionError, trio.BrokenResourceError)):
            while True:
                await getter.next()
        assert (await echo(Peer("FILMROOM", "127.0.0.1", served.port))) == 0

    serving(check, paper_archive(2), pending_seconds=0.04, store_seconds=0.1)


@pytest.mark.parametrize(
    "breaking",
    [pdu.encode_abort(0, 0), pdu.encode_release_request(), b"\x04\0\0\0\0\x01\0", b"\x09\0\0\0\0\0"],
    ids=["abort", "release", "unsound", "unknown"],
)
def test_a_peer_that_breaks_off_in_the_middle_ends_alone(breaking: bytes) -> None:
    async def check(served: Served) -> None:
        getter = await Getter.ask(served)
        while (await getter.next())[0x100] != Field.C_STORE_RQ:
            pass
        await getter.stream.send_all(breaking)
        with trio.fail_after(10):
            try:
                while (await getter.pdu())[0] == 4:
                    pass
            except (AssertionError, trio.BrokenResourceError):
                pass
            await getter.stream.aclose()
        assert (await echo(Peer("FILMROOM", "127.0.0.1", served.port))) == 0

    serving(check, paper_archive(20))


def test_an_object_that_is_lost_fails_alone(tmp_path: Path) -> None:
    archive: SmallArchive = paper_archive(3)
    archive.lost.add(f"{SERIES}.2")

    async def check(served: Served) -> None:
        output = await getscu(served, tmp_path, "8,52=STUDY", f"20,d={STUDY}")
        assert field(output, "DIMSE Status")[-1].lower().startswith("0xb000"), output
        assert len(datasets(tmp_path)) == 2

    serving(check, archive)


def test_release_and_abort_read_together_end_at_once() -> None:
    async def check(served: Served) -> None:
        getter = await Getter.ask(served)
        while (await getter.next()).get(0x900) != 0:
            pass
        with trio.fail_after(5):
            await getter.stream.send_all(pdu.encode_release_request() + pdu.encode_abort(0, 0))
            assert (await getter.pdu())[0] == 6
            with pytest.raises(AssertionError, match="closed"):
                await getter.pdu()

    serving(check, SmallArchive())
