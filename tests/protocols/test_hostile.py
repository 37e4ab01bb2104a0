"""Bad input and bad manners over sockets (H01-H08, H18, H19); clocks are short where the row names a long one."""

import gc
import resource
import select
import struct

import msgspec
import pytest
import trio

from engine.model import Found, Query
from engine.ports import Peer
from native import pdu
from protocols.dimse import classes
from protocols.dimse.connecting import NotAssociated
from protocols.dimse.requestor import echo
from tests.protocols.hostile_peer import FIND, associated, find_message, receive_pdu
from tests.protocols.serving import Served, paper_archive, serving
from tests.protocols.small_archive import SmallArchive

ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"
CT = "1.2.840.10008.5.1.4.1.1.2"


def peer(served: Served) -> Peer:
    return Peer("FILMROOM", "127.0.0.1", served.port)


SIXTEEN_THOUSAND = struct.pack(">HH", 1, 0) + b"B".ljust(16) + b"A".ljust(16) + bytes(32) + b"\x50\x00\xff\xff" * 16000


@pytest.mark.parametrize(
    ("row", "sent"),
    [
        ("H01", b"\x01\x00\xff\xff\xff\xff"),
        ("H02", b"\x42\x00\x00\x00\x00\x04abcd"),
        ("H03", b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x01\x03ab"),
        ("H12", b"\x01\x00" + struct.pack(">I", len(SIXTEEN_THOUSAND)) + SIXTEEN_THOUSAND),
        ("H13", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("H13", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(506)),
    ],
)
def test_H01_H02_H03_H12_H13_unsound_openings_are_aborted_at_once(row: str, sent: bytes) -> None:
    async def check(served: Served) -> None:
        stream = await served.connect()
        await stream.send_all(sent)
        with trio.fail_after(5):
            assert (await receive_pdu(stream))[0] == 7, row
        assert await echo(peer(served)) == 0

    serving(check)


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">BBII", 4, 0, 8, 0xFFFFFFF0) + b"\x01\x03ab",
        b"\x04\x00\xff\xff\xff\xff",
        b"\x42\x00\x00\x00\x00\x04abcd",
        struct.pack(">BBIIBB", 4, 0, 8, 4, 99, 3) + b"ab",
        struct.pack(">BBIIBB", 4, 0, 8, 4, 1, 3) + b"ab",
    ],
)
def test_H06_unsound_data_is_aborted_and_the_port_lives(sent: bytes) -> None:
    async def check(served: Served) -> None:
        stream = await associated(served)
        await stream.send_all(sent)
        with trio.fail_after(5):
            assert (await receive_pdu(stream))[0] == 7
        assert await echo(peer(served)) == 0

    serving(check)


def test_H07_half_open_sockets_do_not_hold_up_others_and_end_by_ARTIM() -> None:
    async def check(served: Served) -> None:
        streams = [await served.connect() for _ in range(100)]
        for stream in streams[:50]:
            await stream.send_all(b"\x01")
        with trio.fail_after(10):
            assert await echo(peer(served)) == 0
            for stream in streams:
                assert await stream.receive_some(100) in (b"",)

    serving(check, artim_seconds=0.5)


def test_H07_the_oldest_half_open_socket_makes_room() -> None:
    async def check(served: Served) -> None:
        streams = [await served.connect() for _ in range(6)]
        with trio.fail_after(5):
            assert await streams[0].receive_some(10) == b""
            assert await streams[1].receive_some(10) == b""
        assert await echo(peer(served)) == 0

    serving(check, half_open_max=4)


def test_H08_idle_associations_leave_room_or_the_limit_is_said() -> None:
    async def check(served: Served) -> None:
        streams = [await associated(served) for _ in range(10)]
        with pytest.raises(NotAssociated, match="rejected 2/3/2"):
            await echo(peer(served))
        await streams[0].send_all(bytes(pdu.encode_release_request()))
        assert (await receive_pdu(streams[0]))[0] == 6
        await streams[0].aclose()
        with trio.fail_after(5):
            while True:
                try:
                    assert await echo(peer(served)) == 0
                    break
                except NotAssociated:
                    await trio.lowlevel.checkpoint()

    serving(check, associations_max=10, associations_per_peer_max=10)


def test_H08_a_hundred_idle_associations_and_an_echo() -> None:
    async def check(served: Served) -> None:
        streams = [await associated(served) for _ in range(100)]
        with trio.fail_after(10):
            assert await echo(peer(served)) == 0
        for stream in streams:
            await stream.aclose()

    serving(check)


def test_an_idle_association_is_aborted_after_its_time() -> None:
    async def check(served: Served) -> None:
        stream = await associated(served)
        with trio.fail_after(5):
            assert (await receive_pdu(stream))[0] == 7

    serving(check, idle_seconds_max=0.2)


def test_H18_a_peer_that_does_not_read_is_dropped() -> None:
    async def check(served: Served) -> None:
        stream = await associated(served, (FIND, classes.IMPLICIT_LITTLE))
        await stream.send_all(find_message())
        with trio.fail_after(20):
            await trio.lowlevel.wait_readable(stream.socket)
            await trio.to_thread.run_sync(wait_for_reset, stream.socket.fileno())
            with pytest.raises(trio.BrokenResourceError):  # reset: what we had not read is gone
                while await stream.receive_some(1 << 16):
                    await trio.lowlevel.checkpoint()
                raise trio.BrokenResourceError
        assert await echo(peer(served)) == 0

    serving(check, endless_archive(), send_seconds_max=0.3)


def endless_archive() -> SmallArchive:
    """Always one more page."""
    archive = paper_archive(50)
    answer = archive.answer

    async def answer_again(query: Query) -> Found:
        found = await answer(msgspec.structs.replace(query, page=""))
        return msgspec.structs.replace(found, next_page="more")

    archive.answer = answer_again  # type: ignore[method-assign]
    return archive


def wait_for_reset(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLRDHUP)
    assert poll.poll(15_000)


def test_H19_associations_leave_nothing_behind() -> None:
    def resident_kb() -> int:
        gc.collect()
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * resource.getpagesize() // 1024

    async def check(served: Served) -> None:
        for _ in range(50):
            assert await echo(peer(served)) == 0
        before = resident_kb()
        for _ in range(300):
            assert await echo(peer(served)) == 0
        assert resident_kb() - before < 16 * 1024

    serving(check)


def test_shutdown_ends_idle_associations_and_lets_a_query_finish() -> None:
    async def check(served: Served) -> None:
        idle = await associated(served)
        busy = await associated(served, (FIND, classes.IMPLICIT_LITTLE))
        await busy.send_all(find_message())
        await trio.lowlevel.wait_readable(busy.socket)
        served.shutdown.set()
        with trio.fail_after(5):
            assert (await receive_pdu(idle))[0] == 7
            received = b""
            while not received.endswith(ABORT):
                received += await busy.receive_some(1 << 20)
        final = pdu.encode_command({0x2: FIND, 0x100: 0x8020, 0x120: 1, 0x800: 0x101, 0x900: 0})
        assert bytes(final) in received
        with pytest.raises(NotAssociated):
            await echo(peer(served))

    serving(check, paper_archive(500), shutdown_idle_seconds=0.2)


def test_a_taken_port_is_said_in_a_sentence() -> None:
    from engine.errors import Conflict
    from protocols.dimse.listener import serve
    from protocols.dimse.settings import DimseSettings

    async def check(served: Served) -> None:
        with pytest.raises(Conflict, match="is in use"):
            await serve(served.archive, DimseSettings(port=served.port), served.peers)

    serving(check)


def test_C01_C18_echoscu_with_all_syntaxes_and_128_contexts() -> None:
    async def check(served: Served) -> None:
        for arguments in ((), ("-pts", "30"), ("-ppc", "128"), ("-pdu", "16384")):
            code, output = await served.run("echoscu", *arguments, "127.0.0.1", str(served.port))
            assert code == 0, output

    serving(check)
