"""A small study goes out from one thread; what the peer does not answer soon is waited for in the event loop."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio

from engine import threads
from engine.ports import Peer
from native import pdu
from protocols.dimse import beginning, classes, requestor
from protocols.dimse.negotiation import IMPLEMENTATION_CLASS_UID
from tests.protocols.hostile_peer import associated, move_message, receive_pdu
from tests.protocols.serving import Served, paper_archive, serving
from tests.protocols.small_archive import SmallArchive

MOVE = (classes.STUDY_ROOT_MOVE, classes.IMPLICIT_LITTLE)
ASSOCIATE, DATA, RELEASE = 1, 4, 5
COMMAND, LAST = 1, 2


class Catcher:
    """A storage SCP that notes what it is asked, and answers a PDU or message of a kind when that ``may`` be."""

    def __init__(self, may: dict[int, trio.Event], result: int = 0) -> None:
        self.kinds: list[int] = []
        self.stored: list[str] = []
        self._asked: dict[int, Any] = {}
        self._may = may
        self._result = result  # of each presentation context

    async def serve(self, stream: trio.SocketStream) -> None:
        while True:
            kind, body = await receive_pdu(stream)
            if kind == 0:
                return
            if kind == DATA and not self._is_whole(body):
                continue
            self.kinds.append(kind)
            if kind in self._may:
                await self._may[kind].wait()
            await stream.send_all(self._answer(kind))

    def _is_whole(self, body: bytes) -> bool:
        at = 0
        while at < len(body):
            end = at + 4 + int.from_bytes(body[at : at + 4], "big")
            if body[at + 5] == COMMAND | LAST:
                self._asked = pdu.decode_command(body[at + 6 : end])
            elif body[at + 5] == LAST:
                self.stored.append(str(self._asked[0x1000]))
                return True
            at = end
        return False

    def _answer(self, kind: int) -> bytes:
        if kind == RELEASE:
            return bytes(pdu.encode_release_response())
        if kind == ASSOCIATE:
            return self._accept()
        elements: dict[int, Any] = {
            0x2: self._asked[0x2],
            0x100: 0x8001,
            0x120: self._asked[0x110],
            0x800: 0x101,
            0x900: 0,
            0x1000: self._asked[0x1000],
        }
        return bytes(pdu.encode_message(1, pdu.encode_command(elements), None, 16384))

    def _accept(self) -> bytes:
        user = pdu.UserInformation(pdu_bytes_max=131072, implementation_class_uid=IMPLEMENTATION_CLASS_UID)
        title, name = b"SINK".ljust(16), "1.2.840.10008.3.1.1.1"
        contexts = [(1, self._result, classes.EXPLICIT_LITTLE)]
        return bytes(pdu.encode_associate_accept(pdu.AssociateAccept(title, title, name, contexts, user)))


def moved(catcher: Catcher, archive: SmallArchive, **settings: Any) -> list[tuple[int, int, int]]:
    """Status, completed and failed of each response to a C-MOVE to it."""
    responses: list[tuple[int, int, int]] = []

    async def check(served: Served) -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, catcher.serve, 0, host="127.0.0.1"))
            served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", listeners[0].socket.getsockname()[1])
            async with await associated(served, MOVE) as stream:
                await stream.send_all(move_message("SINK"))
                while not responses or responses[-1][0] == 0xFF00:
                    _, body = await receive_pdu(stream)
                    elements = pdu.decode_command(body[6 : 4 + int.from_bytes(body[:4], "big")])
                    responses.append(tuple(int(str(elements[tag])) for tag in (0x900, 0x1021, 0x1022)))  # type: ignore[arg-type]
            nursery.cancel_scope.cancel()

    serving(check, archive, **settings)
    return responses


def uids_of(archive: SmallArchive) -> list[str]:
    return [row.instance.sop_instance_uid for row in archive.rows]


def test_a_small_study_is_one_handing_over_and_one_response(monkeypatch: pytest.MonkeyPatch) -> None:
    works: list[Callable[[], object]] = []

    async def counted(work: Callable[[], object], limiter: trio.CapacityLimiter) -> object:
        works.append(work)
        return await threads.in_thread(work, limiter)

    for module in (beginning, requestor):
        monkeypatch.setattr(module, "in_thread", counted)
    catcher, archive = Catcher({}), paper_archive(5)
    assert moved(catcher, archive) == [(0, 5, 0)]
    assert catcher.stored == uids_of(archive)
    assert catcher.kinds == [ASSOCIATE, *[DATA] * 5, RELEASE]
    assert len(works) == 1


@pytest.mark.parametrize(("kind", "taken_over_in"), [(ASSOCIATE, "reach"), (DATA, "answers"), (RELEASE, "finish")])
@pytest.mark.parametrize("count", [5, 20])
def test_a_late_answer_is_waited_for_in_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, kind: int, taken_over_in: str, count: int
) -> None:
    """The peer answers once the thread has given up."""
    monkeypatch.setattr(requestor, "PROMPT_MS", 1)
    may = trio.Event()
    owner: Any = requestor if taken_over_in == "reach" else requestor.Requestor
    whole = getattr(owner, taken_over_in)

    async def taken_over(*arguments: Any, **others: Any) -> Any:
        may.set()
        return await whole(*arguments, **others)

    monkeypatch.setattr(owner, taken_over_in, taken_over)
    catcher, archive = Catcher({kind: may}), paper_archive(count)
    responses = moved(catcher, archive, move_turn_seconds=0.001 if kind == DATA else 5.0)
    assert responses[-1] == (0, count, 0)
    assert catcher.stored == uids_of(archive), "each once"
    assert catcher.kinds == [ASSOCIATE, *[DATA] * count, RELEASE]


def test_who_takes_no_class_of_it_gets_nothing_and_is_released() -> None:
    catcher = Catcher({}, result=3)
    assert moved(catcher, paper_archive(5)) == [(0xA702, 0, 5)]
    assert (catcher.kinds, catcher.stored) == ([ASSOCIATE, RELEASE], [])


def test_who_never_answers_the_release_is_left_in_time() -> None:
    catcher = Catcher({RELEASE: trio.Event()})
    assert moved(catcher, paper_archive(5), answer_seconds=0.05)[-1] == (0, 5, 0)
    assert catcher.kinds == [ASSOCIATE, *[DATA] * 5, RELEASE]


def test_an_object_that_is_lost_or_damaged_fails_alone() -> None:
    archive = paper_archive(5)
    uids = uids_of(archive)
    archive.lost.add(uids[1])
    archive.datasets[uids[3]] = archive.datasets[uids[3]][:-2] + b"\1\1"
    catcher = Catcher({})
    assert moved(catcher, archive)[-1] == (0xB000, 3, 2)
    assert catcher.stored == [uids[0], uids[2], uids[4]]
