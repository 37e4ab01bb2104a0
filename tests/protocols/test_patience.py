"""A peer that answers each C-STORE late, but does answer: on a clock that the test turns."""

import socket
from typing import Any

import pytest
import trio
import trio.testing

from protocols.dimse import requestor
from protocols.dimse.association import Association
from protocols.dimse.leases import Interrupts
from protocols.dimse.requestor import Job, Requestor
from protocols.dimse.settings import DimseSettings

SETTINGS = DimseSettings()
JOBS: list[Job] = [(1, number, "1.2", f"1.3.{number}", b"", 0, 0) for number in range(1, 301)]


class LateSender:
    """Stands for ``native.wire.Sender``: each call takes a turn's time, and every ``calls``th has one more answer."""

    unanswered = 0
    reason = ""

    def __init__(self, clock: trio.testing.MockClock, calls: int) -> None:
        self._clock = clock
        self._calls = calls
        self._count = 0
        self.sent: list[int] = []

    def store(self, fd: int, cancel_fd: int, jobs: list[Job], *, resume: int = 0, **others: Any) -> list[int]:
        self._clock.jump(SETTINGS.move_turn_seconds)
        self._count += 1
        fresh = jobs[resume : resume + 1]
        self.sent += [job[1] for job in fresh]
        is_answered = bool(self._calls) and self._count % self._calls == 0
        if is_answered and resume and fresh:  # behind the answer the next has gone out
            return [0]
        self.unanswered = 0 if is_answered else 1
        return [0] if is_answered else []


def stored(monkeypatch: pytest.MonkeyPatch, calls: int) -> tuple[list[int], str, LateSender]:
    """All jobs through one association; statuses, why it was lost, and what the sender saw."""
    clock = trio.testing.MockClock()
    sender = LateSender(clock, calls)
    monkeypatch.setattr(requestor.wire, "Sender", lambda **_: sender)

    async def main() -> tuple[list[int], str]:
        ours, theirs = socket.socketpair()
        with theirs:
            association = Association(requestor=True, artim_seconds=1, pdu_bytes_max=16384)
            made = Requestor(trio.socket.from_stdlib_socket(ours), association, SETTINGS, Interrupts())
            statuses: list[int] = []
            while len(statuses) < len(JOBS) and not made.lost:
                statuses += await made.store(JOBS[len(statuses) :], trio.CapacityLimiter(1))
            lost = made.lost
            await made.finish()
        return statuses, lost

    return *trio.run(main, clock=clock), sender


def test_who_answers_each_instance_in_time_is_never_too_slow_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses, lost, sender = stored(monkeypatch, 3)
    assert lost == "" and statuses == [0] * len(JOBS)
    assert sender.sent == [job[1] for job in JOBS], "each once"


def test_who_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses, lost, _ = stored(monkeypatch, 0)
    assert (statuses, lost) == ([], "no answer in time")


def test_others_have_their_turn_behind_each_late_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """``store`` comes back, so that C-CANCEL is seen and the threads go round (H18)."""
    clock = trio.testing.MockClock()
    sender = LateSender(clock, 2)
    monkeypatch.setattr(requestor.wire, "Sender", lambda **_: sender)

    async def main() -> list[int]:
        ours, theirs = socket.socketpair()
        with theirs:
            association = Association(requestor=True, artim_seconds=1, pdu_bytes_max=16384)
            made = Requestor(trio.socket.from_stdlib_socket(ours), association, SETTINGS, Interrupts())
            statuses = await made.store(JOBS, trio.CapacityLimiter(1))
            await made.finish()
        return statuses

    assert trio.run(main, clock=clock) == [0]
    assert sender.sent == [1]
