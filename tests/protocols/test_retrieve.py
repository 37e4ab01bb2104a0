"""C-MOVE with real peers (C15, C16, C18; H17), and our own associations."""

import logging
from pathlib import Path

import pytest
import trio

from bench.process import free_port
from engine.ports import Peer
from protocols.dimse.connecting import NotAssociated
from protocols.dimse.delivery import parts_of
from protocols.dimse.requestor import echo
from protocols.transcode import installed_codecs
from tests.protocols.serving import CT, EXPLICIT, STUDY, Served, header, paper_archive, serving

MPEG2 = "1.2.840.10008.1.2.4.100"


class Sink:
    """A storescp that keeps what it gets."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.arguments = arguments
        self.port = 0

    async def __aenter__(self) -> "Sink":
        self.port = free_port()
        self._process = await trio.lowlevel.open_process(
            ["/usr/bin/storescp", "-od", str(self.folder), *self.arguments, str(self.port)], env={"TCP_NODELAY": "1"}
        )
        with trio.fail_after(10):
            while True:
                try:
                    (await trio.open_tcp_stream("127.0.0.1", self.port)).socket.close()
                    return self
                except OSError:
                    await trio.lowlevel.checkpoint()

    async def __aexit__(self, *failure: object) -> None:
        self._process.terminate()
        await self._process.wait()

    def count(self) -> int:
        return sum(1 for _ in self.folder.iterdir())


async def movescu(served: Served, destination: str, *wanted: str, model: str = "-S") -> str:
    keys = [part for key in wanted for part in ("-k", key)]
    _, output = await served.run(
        "movescu", "-d", model, "-aec", "FILMROOM", "-aem", destination, "127.0.0.1", str(served.port), *keys
    )
    return output


def field(output: str, name: str) -> list[str]:
    return [line.split(":", 2)[2].strip() for line in output.splitlines() if line[3:].strip().startswith(name)]


@pytest.mark.parametrize(
    ("model", "wanted", "count"),
    [
        ("-S", ("8,52=STUDY", f"20,d={STUDY}"), 30),
        ("-S", ("8,52=SERIES", f"20,d={STUDY}", f"20,e={STUDY}.1"), 30),
        ("-S", ("8,52=IMAGE", f"20,d={STUDY}", f"20,e={STUDY}.1", f"8,18={STUDY}.1.1\\{STUDY}.1.2"), 2),
        ("-P", ("8,52=PATIENT", "10,20=P1"), 30),
    ],
)
def test_C15_every_level_arrives(tmp_path: Path, model: str, wanted: tuple[str, ...], count: int) -> None:
    archive = paper_archive(30)

    async def check(served: Served) -> None:
        async with Sink(tmp_path) as sink:
            served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.port)
            output = await movescu(served, "SINK", *wanted, model=model)
            assert field(output, "DIMSE Status")[-1].startswith("0x0000"), output
            assert field(output, "Completed Suboperations")[-1] == str(count)
            assert field(output, "Failed Suboperations")[-1] == "0"
            assert sink.count() == count

    serving(check, archive)


def test_C15_counters_add_up_in_every_pending_response(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        async with Sink(tmp_path) as sink:
            served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.port)
            output = await movescu(served, "SINK", "8,52=STUDY", f"20,d={STUDY}")
            remaining = [int(number) for number in field(output, "Remaining Suboperations") if number.isdigit()]
            completed = [int(number) for number in field(output, "Completed Suboperations")]
            assert remaining and remaining[0] >= 29
            assert all(left + done == 30 for left, done in zip(remaining, completed, strict=False))

    serving(check, paper_archive(30), pending_seconds=0.001)


@pytest.mark.parametrize("is_lost", [False, True])
def test_C16_what_can_only_be_sent_as_it_is_fails_alone(tmp_path: Path, is_lost: bool) -> None:
    """Once, also when it could not be sent in any way."""
    archive = paper_archive(3)
    archive.lost |= {STUDY + ".2.1"} if is_lost else set()
    made = header(PatientID="P1", StudyInstanceUID=STUDY, SeriesInstanceUID=STUDY + ".2", SOPInstanceUID=STUDY + ".2.1")
    archive.add(made, made, CT, MPEG2)

    async def check(served: Served) -> None:
        async with Sink(tmp_path, "+xe") as sink:
            served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.port)
            output = await movescu(served, "SINK", "8,52=STUDY", f"20,d={STUDY}")
            assert field(output, "DIMSE Status")[-1].lower().startswith("0xb000"), output
            assert field(output, "Completed Suboperations")[-1] == "3"
            assert field(output, "Failed Suboperations")[-1] == "1"
            assert STUDY + ".2.1" in output
            assert sink.count() == 3

    serving(check, archive)


def test_an_object_that_is_lost_is_counted_as_failed(tmp_path: Path) -> None:
    archive = paper_archive(3)
    archive.lost.add(STUDY + ".1.2")

    async def check(served: Served) -> None:
        async with Sink(tmp_path) as sink:
            served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.port)
            output = await movescu(served, "SINK", "8,52=STUDY", f"20,d={STUDY}")
            assert field(output, "Completed Suboperations")[-1] == "2"
            assert field(output, "Failed Suboperations")[-1] == "1"

    serving(check, archive)


def test_H17_unknown_destination_is_A801_and_the_log_names_the_command(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "filmroom.dimse")

    async def check(served: Served) -> None:
        output = await movescu(served, "NOWHERE", "8,52=STUDY", f"20,d={STUDY}")
        assert field(output, "DIMSE Status")[-1].lower().startswith("0xa801"), output

    serving(check, paper_archive(1))
    assert "filmroom aet add NOWHERE HOST:PORT" in caplog.text


def test_a_destination_that_is_down_fails_every_instance() -> None:
    async def check(served: Served) -> None:
        output = await movescu(served, "DOWN", "8,52=STUDY", f"20,d={STUDY}")
        assert field(output, "DIMSE Status")[-1].lower().startswith("0xa702"), output
        assert field(output, "Failed Suboperations")[-1] == "3"

    serving(check, paper_archive(3), Peer("DOWN", "127.0.0.1", 1))


def test_no_match_is_success_with_zero_counters() -> None:
    async def check(served: Served) -> None:
        output = await movescu(served, "DOWN", "8,52=STUDY", "20,d=1.2.3")
        assert field(output, "DIMSE Status")[-1].startswith("0x0000"), output
        assert field(output, "Completed Suboperations")[-1] == "0"

    serving(check, paper_archive(3), Peer("DOWN", "127.0.0.1", 1))


@pytest.mark.parametrize("wanted", [("8,52=STUDY",), ("8,52=STUDY", "20,d=*"), ("8,52=IMAGE", "8,18=1.2.3")])
def test_a_move_without_its_unique_keys_is_A900(wanted: tuple[str, ...]) -> None:
    async def check(served: Served) -> None:
        output = await movescu(served, "DOWN", *wanted)
        assert field(output, "DIMSE Status")[-1].lower().startswith("0xa900"), output

    serving(check, paper_archive(3), Peer("DOWN", "127.0.0.1", 1))


def test_more_than_128_pairs_are_several_associations() -> None:
    archive = paper_archive(1)
    for number in range(300):
        made = header(StudyInstanceUID=STUDY, SeriesInstanceUID=STUDY + ".3", SOPInstanceUID=f"{STUDY}.3.{number}")
        archive.add(made, made, f"1.2.3.{number}", EXPLICIT)
    parts = parts_of([row.instance for row in archive.rows], installed_codecs())
    assert [len(pairs) for pairs, _ in parts] == [128] * 4 + [90], "each class as it is, and in Implicit VR"
    assert sum(len(part) for _, part in parts) == 301


def test_our_echo_reaches_us_and_says_why_when_it_does_not() -> None:
    async def check(served: Served) -> None:
        assert await echo(Peer("FILMROOM", "127.0.0.1", served.port)) == 0
        with pytest.raises(NotAssociated, match="cannot be reached"):
            await echo(Peer("FILMROOM", "127.0.0.1", 1))

    serving(check)


def test_our_echo_is_told_when_it_is_rejected() -> None:
    async def check(served: Served) -> None:
        with pytest.raises(NotAssociated, match="rejected 1/1/7"):
            await echo(Peer("OTHER", "127.0.0.1", served.port))

    serving(check, check_called_ae_title=True)


def test_when_the_asking_peer_goes_away_sending_stops_and_the_port_lives(tmp_path: Path) -> None:
    from protocols.dimse.classes import IMPLICIT_LITTLE, STUDY_ROOT_MOVE
    from tests.protocols.hostile_peer import associated, move_message

    archive = paper_archive(400)

    async def check(served: Served) -> None:
        async with Sink(tmp_path) as sink:
            served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.port)
            stream = await associated(served, (STUDY_ROOT_MOVE, IMPLICIT_LITTLE))
            await stream.send_all(move_message("SINK"))
            await trio.lowlevel.wait_readable(stream.socket)
            await stream.aclose()
            with trio.fail_after(10):
                assert await echo(Peer("FILMROOM", "127.0.0.1", served.port)) == 0
        assert sink.count() < 400

    serving(check, archive, pending_seconds=0.001)


def test_an_archive_that_fails_while_reading_fails_what_is_left(tmp_path: Path) -> None:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import asynccontextmanager

    from engine.errors import Corrupt
    from engine.model import Instance
    from tests.protocols.small_archive import SmallArchive, SmallWindows, Window

    class FailingWindows(SmallWindows):
        """The second one."""

        async def __anext__(self) -> Window:
            if len(self.left) < 4:
                raise Corrupt("an object is not what was written")
            return await super().__anext__()

    class FailingArchive(SmallArchive):
        @asynccontextmanager
        async def reader(self, instances: Sequence[Instance], *, is_begun: bool = True) -> AsyncIterator[SmallWindows]:
            async with super().reader(instances, is_begun=is_begun) as good:
                yield FailingWindows(good.left)

    archive = paper_archive(30)
    archive.__class__ = FailingArchive

    async def check(served: Served) -> None:
        async with Sink(tmp_path) as sink:
            served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.port)
            output = await movescu(served, "SINK", "8,52=STUDY", f"20,d={STUDY}")
            assert field(output, "DIMSE Status")[-1].lower().startswith("0xb000"), output
            assert field(output, "Completed Suboperations")[-1] == "8"
            assert field(output, "Failed Suboperations")[-1] == "22"

    serving(check, archive)


@pytest.mark.parametrize("granted", [0, 5])
def test_C18_an_asynchronous_window_is_used_when_it_is_granted(granted: int) -> None:
    from pynetdicom import AE, evt

    offered: list[tuple[int, int]] = []
    received: list[str] = []

    def grant(event: "evt.Event") -> tuple[int, int]:
        offered.append((event.nr_invoked, event.nr_performed))
        return granted, 1

    def keep(event: "evt.Event") -> int:
        received.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    application = AE(ae_title="SINK")
    application.add_supported_context(CT, EXPLICIT)
    handlers = [(evt.EVT_C_STORE, keep), *([(evt.EVT_ASYNC_OPS, grant)] if granted else [])]
    sink = application.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)

    async def check(served: Served) -> None:
        served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.server_address[1])
        output = await movescu(served, "SINK", "8,52=STUDY", f"20,d={STUDY}")
        assert field(output, "Completed Suboperations")[-1] == "30", output

    try:
        serving(check, paper_archive(30))
    finally:
        sink.shutdown()
    assert len(set(received)) == 30
    assert offered == ([(16, 1)] if granted else [])
