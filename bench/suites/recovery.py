"""After ``kill -9`` with a full intake: start to ready, and every acknowledged instance found and sent.

The intake fills only where the store is slower than the senders: strace holds up each object on its way to its name.
"""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.asking import IMPLICIT_LITTLE, STUDY_ROOT_FIND, STUDY_ROOT_MOVE, find, instances_of_series, move
from bench.bench import Bench, shares
from bench.content import Truth
from bench.data import CT, EXPLICIT_LITTLE, File, Shape
from bench.lean import Association, Target
from bench.memory import watched
from bench.peers import Server, filmroom
from bench.process import die_with
from bench.results import Line
from bench.stand import Sinks, sinking

INTAKE_BYTES = 1 << 30
INTAKE_BYTES_LEAST = 128 << 20
SENT_TIMES = 1.2  # of what the intake holds: more than is spilled while it fills
FULL_SHARE = 0.9
RENAME_US = 500_000  # that each takes: two objects a second
SENDERS = 8
PIECE = 8
LOOK_SECONDS = 0.1
FULL_SECONDS_MAX = 120
READY_SECONDS_WANTED = 3.0
ASKED_SECONDS_MAX = 60


class Senders:
    """Store until the server is gone; ``acknowledged`` is what was answered by success."""

    def __init__(self, target: Target, files: Sequence[File]) -> None:
        self.acknowledged: list[File] = []
        self._lock = threading.Lock()
        works = [(Association(target, CT, EXPLICIT_LITTLE), share) for share in shares(list(files), SENDERS)]
        self._threads = [threading.Thread(target=self._send, args=work) for work in works]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def are_busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _send(self, association: Association, files: list[File]) -> None:
        """Only whole pieces count: of one that was cut short it is not said which were answered."""
        try:
            for at in range(0, len(files), PIECE):
                association.store(files[at : at + PIECE])
                with self._lock:
                    self.acknowledged += files[at : at + PIECE]
        except (RuntimeError, OSError):
            pass  # the server was killed
        finally:
            association.close()


def run(bench: Bench) -> None:
    """At scale 1 a gigabyte waits in the intake."""
    intake = max(INTAKE_BYTES_LEAST, round(INTAKE_BYTES * min(1.0, bench.scale)))
    per_study = Shape().instance_count * 2 * Shape().rows ** 2
    files = bench.files(Shape(studies=round(SENT_TIMES * intake / per_study + 1), seed=14))
    bench.report.heading(f"kill -9 with an intake of {intake >> 20} MiB, nearly full")
    with bench.room("recovery") as folder:
        with filmroom(folder, intake_bytes=intake) as server:
            bench.report.server(server.name, server.settings)
            with slowed(server.process.pid):
                acknowledged, waiting = fill(server, folder / "store", files, intake)
        size = waiting * len(files[0].data) / 1e6
        bench.report.add(Line(measure="acknowledged, no object written yet, when killed", unit="MB", ours=size))
        with (
            sinking(folder / "sinks") as sinks,
            filmroom(folder, sinks.destinations, intake_bytes=intake) as server,
        ):
            check(bench, server, sinks, acknowledged, files)


@contextmanager
def slowed(pid: int) -> Iterator[None]:
    """A slow store, until the process is gone."""
    command = ["strace", "-f", "-p", str(pid), "-o", "/dev/null", "-e", "trace=renameat2"]
    command += ["-e", f"inject=renameat2:delay_enter={RENAME_US}"]
    prepare = die_with(os.getpid())
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=prepare) as strace:
        try:
            assert strace.stderr is not None
            if "attached" not in (said := strace.stderr.readline()):
                raise RuntimeError(f"no figure: strace does not attach: {said.strip()}")
            yield
        finally:
            strace.kill()


def fill(server: Server, store: Path, files: Sequence[File], intake: int) -> tuple[list[File], int]:
    """Send until what is acknowledged and not spilled fills the intake, or until all is sent; then ``kill -9``."""
    senders = Senders(server.target, files)
    wanted = round(FULL_SHARE * intake / len(files[0].data))
    most, deadline = 0, time.perf_counter() + FULL_SECONDS_MAX
    senders.start()
    while senders.are_busy() and most < wanted and time.perf_counter() < deadline:
        time.sleep(LOOK_SECONDS)
        most = len(senders.acknowledged) - objects(store)
    server.process.popen.kill()
    server.process.popen.wait()
    senders.join()
    return senders.acknowledged, len(senders.acknowledged) - objects(store)


def objects(store: Path) -> int:
    """How many there are."""
    return sum(1 for _ in (store / "archive" / "t" / "default" / "o").glob("*/*.dcm"))


def check(bench: Bench, server: Server, sinks: Sinks, acknowledged: Sequence[File], sent: Sequence[File]) -> None:
    """RuntimeError unless every acknowledged instance is found by its UID, and comes back by C-MOVE, whole and
    unaltered; what was not acknowledged may be there, too, if it is whole."""
    begun = time.perf_counter()
    add_seconds(bench, "start to ready", server.start_seconds, READY_SECONDS_WANTED)
    series: dict[tuple[str, str], list[str]] = {}
    for file in acknowledged:
        series.setdefault((file.study_uid, file.series_uid), []).append(file.sop_instance_uid)
    with watched(server.process) as memory:
        association = Association(server.target, STUDY_ROOT_FIND, IMPLICIT_LITTLE)
        association.socket.settimeout(ASKED_SECONDS_MAX)
        for number, (place, uids) in enumerate(series.items(), 1):
            keys = {**instances_of_series(*place), 0x00080018: "\\".join(uids)}
            if (found := find(association, keys, number)) != len(uids):
                raise RuntimeError(f"{len(uids) - found} acknowledged instances of a series are not found")
            if number == 1:
                add_seconds(bench, "  ready to the first answer, all indexed", time.perf_counter() - begun)
        counts: dict[str, int] = {}
        studies = {study_uid for study_uid, _ in series}
        places = {(file.study_uid, file.series_uid) for file in sent if file.study_uid in studies}
        for number, place in enumerate(sorted(places), 1):
            counts[place[0]] = counts.get(place[0], 0) + find(association, instances_of_series(*place), number)
        association.release()
        fetch(server.target, sinks.first, counts)
        server.process.await_rest()
    truth = Truth()
    truth.add(sent)
    truth.check(sinks.taken(), [file.sop_instance_uid for file in acknowledged], truth.places)
    add_seconds(bench, f"  ready to {len(acknowledged)} found and sent, at rest", time.perf_counter() - begun)
    bench.report.add(Line(measure="  most resident meanwhile", unit="MiB", ours=memory.most_mib))


def fetch(target: Target, destination: str, counts: dict[str, int]) -> None:
    """Every study to a sink; all of its instances must arrive."""
    association = Association(target, STUDY_ROOT_MOVE, IMPLICIT_LITTLE)
    association.socket.settimeout(ASKED_SECONDS_MAX)
    for number, (study_uid, count) in enumerate(counts.items(), 1):
        move(association, destination, study_uid, count, number)
    association.release()


def add_seconds(bench: Bench, measure: str, seconds: float, most: float | None = None) -> None:
    wanted, meets = ("", None) if most is None else (f"<= {most:g}", seconds <= most)
    bench.report.add(Line(measure=measure, unit="s", ours=seconds, wanted=wanted, meets=meets))
