"""Studies by C-MOVE, by several workers at once, each to a destination of its own; every instance is looked at."""

import os
import subprocess
import threading
import time
from collections.abc import Sequence

from msgspec import Struct

from bench.asking import IMPLICIT_LITTLE, MOVE_SECONDS_MAX, STUDY_ROOT_MOVE, move
from bench.bench import shares
from bench.dcmtk import tool
from bench.lean import Association
from bench.peers import NO_DELAY, Server
from bench.process import die_with
from bench.stand import Stand
from bench.taking import Costs, Quantity

MOVERS = ("lean", "dcmtk")
TITLE = "LEAN"


class Moved(Struct, frozen=True):
    """``worker_seconds``: of each; ``seconds``: from the first request to the last answer of the last worker."""

    worker_seconds: list[float]
    seconds: float
    instances: int
    size: int
    costs: dict[Quantity, list[float]]

    @property
    def rate(self) -> float:
        return self.instances / self.seconds

    @property
    def mbps(self) -> float:
        """Megabits a second, as in the paper's Table 4."""
        return self.size * 8 / 1e6 / self.seconds


def moved(stand: Stand, server: Server, studies: Sequence[str], workers: int, mover: str) -> Moved:
    """Each worker moves its share, one study after the other. RuntimeError unless all came, whole and once."""
    stand.sinks.taken()  # what a refused target may have left
    wanted = [uid for study in studies for uid in stand.truth.of_study(study)]
    costs = Costs(server, [stand.sinks.process])
    seconds: list[float] = []
    failures: list[BaseException] = []
    work = {"lean": _move_lean, "dcmtk": _move_dcmtk}[mover]

    def worker(number: int, own: Sequence[str]) -> None:
        begun = time.perf_counter()
        try:
            work(stand, server, f"WS{number + 1}", own)
            seconds.append(time.perf_counter() - begun)
        except (RuntimeError, OSError, subprocess.SubprocessError) as failure:
            failures.append(failure)

    threads = [
        threading.Thread(target=worker, args=(number, own)) for number, own in enumerate(shares(list(studies), workers))
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - begun
    spent = costs.of(len(wanted))
    taken = stand.sinks.taken()
    if failures:
        raise RuntimeError(f"no figure: {failures[0]}")
    stand.truth.check(taken, wanted)
    size = sum(stand.truth.places[uid].size for uid in wanted)
    return Moved(sorted(seconds), passed, len(wanted), size, spent)


def _move_lean(stand: Stand, server: Server, destination: str, studies: Sequence[str]) -> None:
    """Over one association."""
    with Association(server.target, STUDY_ROOT_MOVE, IMPLICIT_LITTLE) as association:
        association.socket.settimeout(MOVE_SECONDS_MAX)
        for number, study in enumerate(studies, 1):
            move(association, destination, study, len(stand.truth.of_study(study)), number)


def _move_dcmtk(stand: Stand, server: Server, destination: str, studies: Sequence[str]) -> None:
    """As in the paper: DCMTK's movescu, PDUs of 64 kB, a process and an association a study."""
    for study in studies:
        command = [tool("movescu"), "-S", "-aet", TITLE, "-aec", server.target.ae_title, "-aem", destination]
        command += ["--max-pdu", "65536", "-k", "0008,0052=STUDY", "-k", f"0020,000D={study}"]
        done = subprocess.run(
            [*command, server.target.host, str(server.target.port)],
            env={**os.environ, **NO_DELAY},
            capture_output=True,
            text=True,
            check=False,
            timeout=MOVE_SECONDS_MAX,
            preexec_fn=die_with(os.getpid()),
        )
        if done.returncode:
            raise RuntimeError(f"movescu failed: {done.stderr.strip()[-200:]}")
