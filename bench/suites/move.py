"""C-MOVE to one ``storescp --ignore`` a worker, against Orthanc and dcmqrscp."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from bench import lean
from bench.asking import move_all
from bench.bench import Bench, shares
from bench.data import Shape
from bench.lean import Target
from bench.pairs import Comparison, Figures, compare
from bench.peers import Server, dcmqrscp, filmroom, orthanc, storescp_sinks
from bench.proving import prove
from bench.stand import sinking

WORKERS = {1: 2.0, 8: 1.8}  # and how many times the better of the others' rate is wanted
STUDIES = 8
PROOF = "PROOF"  # the AE title of the sinks that hash
Studies = list[tuple[str, int]]


def run(bench: Bench) -> None:
    """All servers run at once and hold the same studies; only one moves at a time. storescp drops what it gets: what
    each server sends is looked at before and after, by sinks that hash."""
    shape = Shape(studies=max(8, round(STUDIES * bench.scale)), series=1, seed=3)
    files = bench.files(shape)
    studies = [(study[0].study_uid, len(study)) for study in shares(files, shape.studies)]
    bench.report.heading(f"C-MOVE of {shape.studies} studies of {shape.instances} CT, one storescp --ignore a worker")
    with ExitStack() as running:
        folder = running.enter_context(bench.room("move"))
        destinations, _ = running.enter_context(storescp_sinks(folder / "sinks", max(WORKERS)))
        sinks = running.enter_context(sinking(folder / "hashing"))
        sinks.first = PROOF
        destinations = {**destinations, PROOF: sinks.destinations["WS1"]}
        servers = [
            running.enter_context(start(folder / start.__name__, destinations))
            for start in (filmroom, orthanc, dcmqrscp)
        ]
        for server in servers:
            bench.report.server(server.name, server.settings)
            lean.store(server.target, [files])
            prove(server.target, sinks, files)
            server.process.await_rest()
        for workers, least in WORKERS.items():
            compare_workers(bench, servers, studies, workers, least, partial(prove, sinks=sinks, files=files))


def compare_workers(
    bench: Bench,
    servers: list[Server],
    studies: Studies,
    workers: int,
    least: float,
    check: Callable[[Target], None],
) -> None:
    """One line for the better of the others, which the target names, and one for the other."""
    ours, *others = servers
    found: dict[str, dict[str, Comparison]] = {
        other.name: compare(
            partial(move_once, ours, studies, workers), partial(move_once, other, studies, workers), bench.rounds
        )
        for other in others
    }
    for server in servers:
        check(server.target)
    better = max(found, key=lambda name: found[name]["rate"].theirs)
    for name, comparison in sorted(found.items(), key=lambda item: item[0] != better):
        bench.report.compared(
            f"{workers} workers", "/s", comparison["rate"], name, least=least if name == better else None
        )
        bench.report.compared(
            "  server CPU an instance", "us", comparison["cpu_us"], name, most=0.5 if name == better else None
        )


def move_once(server: Server, studies: Studies, workers: int) -> Figures:
    """All studies, shared among the workers."""
    before = server.process.cpu_seconds()
    burst = move_all(server.target, studies, workers)
    cpu = server.process.cpu_seconds() - before
    return {"rate": burst.rate, "cpu_us": cpu / burst.instances * 1e6}
