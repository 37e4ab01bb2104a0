"""The paper's Figure 10: 80 studies that were never asked for, by 1 to 16 workers at once."""

from collections.abc import Sequence
from math import ceil

from bench.bench import Bench
from bench.data import Shape
from bench.moving import moved
from bench.peers import Server
from bench.stand import Stand
from bench.taking import Samples, take

WORKERS = (1, 2, 4, 8, 16)
STUDIES = 80  # of each batch, in the paper
SERIES, INSTANCES = 5, 104
SEED = 100


def shape(bench: Bench) -> Shape:
    """The paper's 500 studies of 520 instances of 204 kB, or a share of them: 16 studies a batch at least, so that each
    worker has one, with fewer instances a series."""
    batch = batch_of(bench)
    wanted = bench.settings.scale_of("parallel-move") * STUDIES * INSTANCES / batch
    return Shape(
        studies=batch * len(WORKERS) * bench.rounds,
        series=SERIES,
        instances=max(1, min(INSTANCES, ceil(wanted))),
        seed=bench.settings.seed + SEED,
    )


def batch_of(bench: Bench) -> int:
    """Studies of one batch."""
    return max(max(WORKERS), min(STUDIES, round(bench.settings.scale_of("parallel-move") * STUDIES)))


def run(bench: Bench, stand: Stand) -> None:
    """Each batch takes the next studies, so that no target has seen them asked for; all targets take the same."""
    batch, studies, mover = batch_of(bench), stand.truth.studies, bench.settings.mover
    instances = len(stand.truth.of_study(studies[0]))
    bench.report.note(f"batches of {batch} studies of {instances} CT of 204 kB; client: {mover}, sinks hash all")
    servers = list(stand.servers)
    for at, workers in enumerate(WORKERS):

        def work(server: Server, number: int, at: int = at, workers: int = workers) -> Samples:
            first = (at * bench.rounds + number) * batch
            return batch_samples(stand, server, studies[first : first + batch], workers, mover)

        case = f"{workers} worker" + "s" * (workers > 1)
        servers = take(bench.report, servers, case, bench.rounds, work)


def batch_samples(stand: Stand, server: Server, studies: Sequence[str], workers: int, mover: str) -> Samples:
    """The time of each worker, and what the batch came to."""
    done = moved(stand, server, studies, workers, mover)
    return {
        ("time of a worker", "s"): done.worker_seconds,
        ("instances a second", "/s"): [done.rate],
        **done.costs,
    }
