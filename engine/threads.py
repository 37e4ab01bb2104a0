"""Blocking work in a thread, for who waits in the trio loop."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import trio

T = TypeVar("T")


async def in_thread(work: Callable[[], T], limiter: trio.CapacityLimiter) -> T:
    """What ``work`` returns, from one of trio's threads.

    ``trio.to_thread.run_sync`` without what nobody here uses (abandoned threads, calls back into the loop, context
    variables, a name for each): a third of its processor time. The work always comes to its end; where a place is free
    the loop is not gone through first.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    borrower = object()
    try:
        limiter.acquire_on_behalf_of_nowait(borrower)
    except trio.WouldBlock:
        await limiter.acquire_on_behalf_of(borrower)
    try:
        task, token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()

        def deliver(result: Any) -> None:
            token.run_sync_soon(trio.lowlevel.reschedule, task, result)

        trio.lowlevel.start_thread_soon(work, deliver)
        return cast("T", await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED))
    finally:
        limiter.release_on_behalf_of(borrower)
