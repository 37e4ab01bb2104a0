"""What a fresh server takes in, how quickly, and at what cost; no rate unless all of it comes back as it was sent."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from bench import lean
from bench.bench import Bench
from bench.data import File, Shape
from bench.pairs import Figures
from bench.peers import Destinations, Server
from bench.proving import prove
from bench.stand import Sinks

# Makes the folders that a new archive lacks: a running one has them.
WARM = Shape(stub=True, seed=999)

Work = Callable[[], object]
Send = Callable[[Server], Work]  # makes all ready for one server; what it gives is what is timed
Start = Callable[[Path, Destinations], AbstractContextManager[Server]]


def load_once(bench: Bench, sinks: Sinks, start: Start, send: Send, files: Sequence[File]) -> Figures:
    """A fresh server, warmed by a few instances, then the load."""
    with bench.room("load") as folder, start(folder, sinks.destinations) as server:
        bench.report.server(server.name, server.settings)
        lean.store(server.target, [bench.files(WARM)])
        server.process.await_rest()
        figures = measured(server, send(server), len(files))
        prove(server.target, sinks, files)
        return figures


def measured(server: Server, work: Work, count: int) -> Figures:
    """Rates, and processor time an instance, to the last response and until the server rests; that of the client."""
    cpu_before, client_before = server.process.cpu_seconds(), _client_seconds()
    begun = time.perf_counter()
    work()
    answered = time.perf_counter()
    client, cpu_answered = _client_seconds() - client_before, server.process.cpu_seconds()
    rested = max(answered, server.process.await_rest())
    cpu_rested = server.process.cpu_seconds()
    return {
        "rate": count / (answered - begun),
        "rate_to_rest": count / (rested - begun),
        "cpu_to_answer_us": (cpu_answered - cpu_before) / count * 1e6,
        "cpu_to_rest_us": (cpu_rested - cpu_before) / count * 1e6,
        "client_us": client / count * 1e6,
    }


def _client_seconds() -> float:
    """Of this process, and of its children that were waited for."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system
