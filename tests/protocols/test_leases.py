"""Threads for busy associations: shared fairly, called back, never outliving the node."""

import select

import trio
import trio.testing

from protocols.dimse.leases import Interrupt, Interrupts, Leases
from protocols.dimse.outbound import Outbound
from protocols.dimse.settings import DimseSettings
from protocols.dimse.site import Site
from protocols.transcode import Transcoder
from tests.protocols.small_archive import SmallArchive, SmallPeers

CALLED_BACK, DONE = 7, 1


class Busy:
    """Receives until it is called back."""

    def run(self, fd: int, cancel_fd: int, idle_ms: int, budget_bytes: int) -> int:
        poll = select.poll()
        poll.register(cancel_fd, select.POLLIN)
        assert poll.poll(20_000)
        return CALLED_BACK


class Short:
    def run(self, fd: int, cancel_fd: int, idle_ms: int, budget_bytes: int) -> int:
        return DONE


def test_who_waits_calls_the_oldest_lease_back() -> None:
    async def main() -> None:
        leases, interrupts = Leases(DimseSettings(receive_threads_max=2)), Interrupts()
        results: list[tuple[str, int]] = []

        async def lease(name: str, receiver: Busy | Short, interrupt: Interrupt) -> None:
            results.append((name, await leases.run(receiver, -1, interrupt)))

        with trio.fail_after(20):
            first, second, third = interrupts.new(), interrupts.new(), interrupts.new()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lease, "first", Busy(), first)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(lease, "second", Busy(), second)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(lease, "third", Short(), third)
                await trio.testing.wait_all_tasks_blocked(0.5)
                assert sorted(results) == [("first", CALLED_BACK), ("third", DONE)]
                interrupts.set_all()
        assert ("second", CALLED_BACK) in results
        for interrupt in (first, second, third):
            interrupts.close(interrupt)

    trio.run(main)


def test_an_interrupt_that_is_cleared_waits_again() -> None:
    interrupt = Interrupt()
    interrupt.set()
    interrupt.clear()
    poll = select.poll()
    poll.register(interrupt.fd, select.POLLIN)
    assert not poll.poll(0)
    interrupt.clear()
    interrupt.close()
    interrupt.set()


def test_H08_places_are_counted_in_all_and_for_each_address() -> None:
    settings = DimseSettings(associations_max=3, associations_per_peer_max=2)
    site = Site(Outbound(SmallArchive(), settings, Transcoder()), settings, SmallPeers())  # type: ignore[arg-type]
    assert [site.admit("a"), site.admit("a"), site.admit("a"), site.admit("b"), site.admit("c")] == [
        True, True, False, True, False,
    ]  # fmt: skip
    site.leave("a")
    assert site.admit("c") and not site.admit("a")
