"""Destinations that read a byte a second (H18): they hold up neither others nor memory, and fail in their time."""

import os
from functools import partial
from pathlib import Path

import trio

import engine
from bench.data import Shape, files
from engine.ports import Peer
from native import pdu
from protocols.dimse.negotiation import IMPLEMENTATION_CLASS_UID
from tests.protocols.hostile_peer import receive_pdu
from tests.protocols.serving import Served, serving_in
from tests.protocols.test_retrieve import Sink, field, movescu

SHAPE = Shape(studies=1, series=1, instances=40, rows=512)  # 20 MB: more than sockets hold
STUDY = next(files(SHAPE)).study_uid
SLOW_COUNT = 6
MIB = 1 << 20


async def take_a_byte_a_second(all_accepted: trio.Event, accepted: list[int], stream: trio.SocketStream) -> None:
    """A storage SCP that accepts everything, and then reads like that."""
    _, body = await receive_pdu(stream)
    request = pdu.decode_associate_request(body)
    answer = pdu.AssociateAccept(
        request.called_ae_title,
        request.calling_ae_title,
        request.application_context,
        [(number, 0, syntaxes[0]) for number, _, syntaxes in request.contexts],
        pdu.UserInformation(pdu_bytes_max=16384, implementation_class_uid=IMPLEMENTATION_CLASS_UID),
    )
    await stream.send_all(bytes(pdu.encode_associate_accept(answer)))
    accepted.append(len(accepted))
    if len(accepted) == SLOW_COUNT:
        all_accepted.set()
    try:
        while await stream.receive_some(1):
            with trio.move_on_after(1):
                await trio.sleep_forever()
    except trio.BrokenResourceError:
        pass  # given up, with what was still on its way


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_H18_slow_destinations_hold_up_no_other_and_fail_in_their_time(tmp_path: Path) -> None:
    ended: list[str] = []
    folder = tmp_path / "arrived"
    folder.mkdir()

    async def move(served: Served, destination: str) -> None:
        output = await movescu(served, destination, "8,52=STUDY", f"20,d={STUDY}")
        wanted = ("0xa702", "40") if destination == "SLOW" else ("0x0000", "0")
        assert field(output, "DIMSE Status")[-1].lower().startswith(wanted[0]), output
        assert field(output, "Failed Suboperations")[-1] == wanted[1]
        ended.append(destination)

    async def check(served: Served) -> None:
        before = resident_bytes()
        all_accepted = trio.Event()
        async with Sink(folder) as sink, trio.open_nursery() as nursery:
            handler = partial(take_a_byte_a_second, all_accepted, [])
            slow = await nursery.start(partial(trio.serve_tcp, handler, 0, host="127.0.0.1"))
            served.peers.known["SLOW"] = Peer("SLOW", "127.0.0.1", slow[0].socket.getsockname()[1])
            served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.port)
            async with trio.open_nursery() as moves:
                for _ in range(SLOW_COUNT):
                    moves.start_soon(move, served, "SLOW")
                await all_accepted.wait()
                moves.start_soon(move, served, "SINK")
            nursery.cancel_scope.cancel()
        assert resident_bytes() - before < 64 * MIB

    async def main() -> None:
        async with engine.open(str(tmp_path / "store")) as archive:
            for file in files(SHAPE):
                await archive.store(file.data)
            # Two threads for slow ones, two that are left; six seconds of patience, three rounds of slow ones.
            await serving_in(check, archive, store_seconds=6.0, send_threads_max=4, send_threads_per_peer_max=2)

    trio.run(main)
    assert ended == ["SINK"] + ["SLOW"] * SLOW_COUNT
    assert sum(1 for _ in folder.iterdir()) == 40
