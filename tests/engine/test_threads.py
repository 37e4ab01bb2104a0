"""Work in a thread: its result or its error comes back, and its place is given back."""

import threading

import pytest
import trio
import trio.testing

from engine.threads import in_thread


def test_the_result_comes_from_another_thread() -> None:
    limiter = trio.CapacityLimiter(1)
    assert trio.run(in_thread, threading.get_ident, limiter) != threading.get_ident()
    assert limiter.borrowed_tokens == 0


def test_the_error_comes_as_it_is() -> None:
    limiter = trio.CapacityLimiter(1)

    def fail() -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there"):
        trio.run(in_thread, fail, limiter)
    assert limiter.borrowed_tokens == 0


def test_no_more_work_at_once_than_there_are_places() -> None:
    async def main() -> None:
        limiter, going, most = trio.CapacityLimiter(2), [0], [0]
        lock, both = threading.Lock(), threading.Barrier(2)

        def work() -> None:
            with lock:
                going[0] += 1
                most[0] = max(most[0], going[0])
            both.wait(10)
            with lock:
                going[0] -= 1

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(in_thread, work, limiter)
        assert most == [2] and limiter.borrowed_tokens == 0

    trio.run(main)


def test_who_is_cancelled_before_it_begins_does_nothing() -> None:
    async def main() -> None:
        limiter, done = trio.CapacityLimiter(1), list[int]()
        with trio.CancelScope() as scope:
            scope.cancel()
            await in_thread(lambda: done.append(1), limiter)
        assert scope.cancelled_caught and not done
        limiter.acquire_on_behalf_of_nowait("another")
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(in_thread, lambda: done.append(1), limiter)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert not done and limiter.borrowed_tokens == 1

    trio.run(main)


def test_who_is_cancelled_meanwhile_waits_for_the_end() -> None:
    async def main() -> None:
        limiter, may_end, done = trio.CapacityLimiter(1), threading.Event(), list[int]()

        def work() -> None:
            may_end.wait(10)
            done.append(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(in_thread, work, limiter)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            may_end.set()
        assert done == [1] and limiter.borrowed_tokens == 0

    trio.run(main)
