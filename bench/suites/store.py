"""Durable stores against Orthanc: C-STORE and STOW-RS by 1, 4 and 8 clients; DCMTK's storescu; a sustained load."""

import os
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench import lean
from bench.bench import Bench, shares
from bench.data import File, Shape
from bench.dcmtk import tool
from bench.lean import Target
from bench.loading import Send, Start, Work, load_once
from bench.pairs import compare
from bench.peers import NO_DELAY, Server, filmroom, orthanc
from bench.process import die_with
from bench.stand import Sinks, sinking
from bench.suites import stow

CLIENTS = (1, 4, 8)
BURST_STUDIES = 2
SUSTAINED_INTAKE_BYTES = 128 << 20  # the least that is allowed: two segments
SUSTAINED_STUDIES = 5  # 532 MB: four times that
STORESCU_SECONDS_MAX = 600
# How many times Orthanc's rate: of a burst, and sustained.
WANTED = {"storescu x1": (2.5, 2.0), "storescu x8": (3.5, 2.5), "8 lean senders": (6.0, 3.0)}


def run(bench: Bench) -> None:
    """Each client in turn: bursts, then a sustained load. Each server starts afresh, and gives all back in the end."""
    burst = Shape(studies=max(1, round(BURST_STUDIES * bench.scale)))
    sustained = Shape(studies=max(1, round(SUSTAINED_STUDIES * bench.scale)), seed=2)
    intake = round(SUSTAINED_INTAKE_BYTES * max(1.0, bench.scale))
    with bench.room("sinks") as folder, sinking(folder) as sinks:
        files = bench.files(burst)
        clients = {f"{count} lean sender{'s' * (count > 1)}": lean_senders(files, count) for count in CLIENTS}
        by_client(bench, sinks, "burst", filmroom, clients | _storescu(bench.paths(burst)), files)
        stow.by_connections(bench, sinks, files, CLIENTS)
        files = bench.files(sustained)
        clients = _storescu(bench.paths(sustained)) | {"8 lean senders": lean_senders(files, 8)}
        by_client(bench, sinks, "sustained", partial(filmroom, intake_bytes=intake), clients, files)


def by_client(
    bench: Bench, sinks: Sinks, load: str, ours: Start, clients: dict[str, Send], files: Sequence[File]
) -> None:
    """The same instances by one client after the other."""
    bench.report.heading(f"C-STORE {load}: {len(files)} CT of {len(files[0].data) // 1000} kB")
    for client, send in clients.items():
        wanted = WANTED[client][load == "sustained"] if client in WANTED else None
        compare_client(bench, sinks, f"{load}, {client}", ours, send, files, wanted)


def compare_client(
    bench: Bench, sinks: Sinks, name: str, ours: Start, send: Send, files: Sequence[File], wanted: float | None
) -> None:
    """The lines of one client against both servers."""
    once = partial(load_once, bench, sinks, send=send, files=files)
    found = compare(partial(once, start=ours), partial(once, start=orthanc), bench.rounds)
    report, note = bench.report, f"client {found['client_us'].ours:.0f} us"
    rates = [("to the last response", "rate"), ("until the server rests", "rate_to_rest")]
    (first, of_first), (second, of_second) = rates if name.startswith("burst") else reversed(rates)
    report.compared(f"{name}: {first}", "/s", found[of_first], "orthanc", least=wanted, note=note)
    report.compared(f"  {second}", "/s", found[of_second], "orthanc")
    is_asked = wanted is not None and "lean" in name
    for until, quantity, most in (
        ("to the last response", "cpu_to_answer_us", 1 / 12),
        ("until it rests", "cpu_to_rest_us", 1 / 3),
    ):
        report.compared(f"  server CPU {until}", "us", found[quantity], "orthanc", most=most if is_asked else None)


def lean_senders(files: Sequence[File], count: int) -> Send:
    """``count`` associations at once, each with its share."""

    def ready(server: Server) -> Work:
        return partial(lean.store, server.target, shares(list(files), count))

    return ready


def _storescu(paths: list[Path]) -> dict[str, Send]:
    return {f"storescu x{count}": partial(by_storescu, paths=paths, count=count) for count in (1, 8)}


def by_storescu(server: Server, paths: list[Path], count: int, no_delay: bool = True) -> Work:
    """``storescu``, ready to be timed."""
    return partial(storescu, server.target, paths, count, no_delay)


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
            preexec_fn=die_with(os.getpid()),
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
