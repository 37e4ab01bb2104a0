"""C-STORE against Orthanc: burst and sustained, by storescu and by lean senders; rate and processor time."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from bench import lean
from bench.asking import check_kept
from bench.bench import Bench, shares
from bench.data import File, Shape
from bench.dcmtk import tool
from bench.lean import Target
from bench.pairs import Figures, compare
from bench.peers import NO_DELAY, Server, filmroom, orthanc

BURST_STUDIES = 2
SUSTAINED_INTAKE_BYTES = 128 << 20  # the least that is allowed: two segments
SUSTAINED_STUDIES = 5  # 532 MB: four times that
STORESCU_SECONDS_MAX = 600
# Makes the folders that a new archive lacks: a running one has them.
WARM = Shape(stub=True, seed=999)

Send = Callable[[Target], None]
Start = Callable[[Path], AbstractContextManager[Server]]


def run(bench: Bench) -> None:
    """Each client in turn: a burst, then a sustained load."""
    burst = Shape(studies=max(1, round(BURST_STUDIES * bench.scale)))
    sustained = Shape(studies=max(1, round(SUSTAINED_STUDIES * bench.scale)), seed=2)
    wanted = {"storescu x1": (2.5, 2.0), "storescu x8": (3.5, 2.5), "8 lean senders": (6.0, 3.0)}
    for load, shape in (("burst", burst), ("sustained", sustained)):
        files, paths = bench.files(shape), bench.paths(shape)
        clients: dict[str, Send] = {
            "storescu x1": partial(storescu, paths=paths, count=1),
            "storescu x8": partial(storescu, paths=paths, count=8),
            "8 lean senders": partial(lean_senders, files=files, count=8),
        }
        intake = round(SUSTAINED_INTAKE_BYTES * max(1.0, bench.scale)) if load == "sustained" else None
        ours: Start = partial(filmroom, intake_bytes=intake)
        bench.report.heading(f"C-STORE {load}: {len(files)} CT of {len(files[0].data) // 1000} kB")
        for client, send in clients.items():
            compare_client(bench, f"{load}, {client}", ours, send, files, wanted[client][load == "sustained"])


def compare_client(bench: Bench, name: str, ours: Start, send: Send, files: Sequence[File], wanted: float) -> None:
    """The lines of one client against both servers."""
    found = compare(
        partial(store_once, bench, ours, send, files), partial(store_once, bench, orthanc, send, files), bench.rounds
    )
    report = bench.report
    if name.startswith("burst"):
        report.compared(f"{name}: to the last response", "/s", found["rate"], "orthanc", least=wanted)
        report.compared("  until the server rests", "/s", found["rate_to_rest"], "orthanc")
    else:
        report.compared(f"{name}: until the server rests", "/s", found["rate_to_rest"], "orthanc", least=wanted)
        report.compared("  to the last response", "/s", found["rate"], "orthanc")
    least = "lean" in name
    report.compared(
        "  server CPU to the last response", "us", found["cpu_to_answer_us"], "orthanc", most=1 / 12 if least else None
    )
    report.compared(
        "  server CPU until it rests", "us", found["cpu_to_rest_us"], "orthanc", most=1 / 3 if least else None
    )


def store_once(bench: Bench, start: Start, send: Send, files: Sequence[File]) -> Figures:
    """A fresh server, warmed by a few instances, then the load; refuses a rate unless all is found again."""
    with bench.room("store") as folder, start(folder) as server:
        bench.report.server(server.name, server.settings)
        lean.store(server.target, [bench.files(WARM)])
        server.process.await_rest()
        figures = measured(server, send, len(files))
        check_kept(server.target, files)
        return figures


def measured(server: Server, send: Send, count: int) -> Figures:
    """Rates, and processor time an instance, to the last response and until the server rests."""
    cpu_before = server.process.cpu_seconds()
    begun = time.perf_counter()
    send(server.target)
    answered = time.perf_counter()
    cpu_answered = server.process.cpu_seconds()
    rested = max(answered, server.process.await_rest())
    cpu_rested = server.process.cpu_seconds()
    return {
        "rate": count / (answered - begun),
        "rate_to_rest": count / (rested - begun),
        "cpu_to_answer_us": (cpu_answered - cpu_before) / count * 1e6,
        "cpu_to_rest_us": (cpu_rested - cpu_before) / count * 1e6,
    }


def lean_senders(target: Target, files: list[File], count: int) -> None:
    """``count`` associations at once, each with its share."""
    lean.store(target, shares(files, count))


def storescu(target: Target, paths: list[Path], count: int, no_delay: bool = True) -> None:
    """``count`` processes of DCMTK's storescu at once, their start included; RuntimeError when one fails."""
    environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    command = [tool("storescu"), "--max-pdu", "131072", "-aec", target.ae_title, target.host, str(target.port)]
    running = [
        subprocess.Popen(
            [*command, *map(str, share)],
            env=environment | (NO_DELAY if no_delay else {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for share in shares(paths, count)
    ]
    failures = []
    for process in running:
        _, errors = process.communicate(timeout=STORESCU_SECONDS_MAX)
        if process.returncode or b"E: " in errors:
            failures.append(errors.decode("utf-8", "replace").strip()[-200:])
    if failures:
        raise RuntimeError(f"no rate: storescu failed: {failures[0]}")
