"""Measures the same of each target in turn, in alternating order, and gives no figure of one whose answer was wrong."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.peers import Server
from bench.process import Process
from bench.report import Report

Quantity = tuple[str, str]  # name, unit
Samples = Mapping[Quantity, Sequence[float]]
Work = Callable[[Server, int], Samples]  # the target, the number of the round

SERVER_CPU: Quantity = ("server CPU", "us")
CLIENT_SHARE: Quantity = ("client's share of CPU", "%")


def take(report: Report, servers: Sequence[Server], case: str, rounds: int, work: Work) -> list[Server]:
    """``rounds`` times all targets, every second time from the last to the first: A B B A. Who gives a wrong answer is
    left out, with all its samples; the others are returned."""
    found: dict[str, dict[Quantity, list[Sequence[float]]]] = {server.name: {} for server in servers}
    going = list(servers)
    for number in range(rounds):
        for server in list(going if number % 2 == 0 else reversed(going)):
            report.show(f"{case}: {server.name}, {number + 1} of {rounds}")
            try:
                samples = work(server, number)
            except (RuntimeError, OSError) as failure:
                report.refused(case, server.name, str(failure) or type(failure).__name__)
                going.remove(server)
                continue
            for quantity, values in samples.items():
                found[server.name].setdefault(quantity, []).append(values)
    for server in going:
        for (name, unit), taken in found[server.name].items():
            report.measured(case, server.name, name, unit, taken)
    return going


class Costs:
    """Processor time of a server and of the clients beside it, from its making until it is asked."""

    def __init__(self, server: Server, clients: Iterable[Process]) -> None:
        self._server, self._clients = server, list(clients)
        self._before = self._now()

    def of(self, count: int) -> dict[Quantity, list[float]]:
        """Of one of so many. Nothing of a server that the bench did not start: it may be on another machine."""
        server, client = (now - before for now, before in zip(self._now(), self._before, strict=True))
        if not self._server.is_watched or not count:
            return {}
        share = 100 * client / (client + server) if client + server else 0.0
        return {SERVER_CPU: [server / count * 1e6], CLIENT_SHARE: [share]}

    def _now(self) -> tuple[float, float]:
        children = os.times()
        own = time.process_time() + children.children_user + children.children_system
        return self._server.process.cpu_seconds(), own + sum(client.cpu_seconds() for client in self._clients)
