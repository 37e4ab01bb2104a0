"""The receiving side alone: Nagle's algorithm, and how hash and intake grow with associations."""

from functools import partial

from bench.bench import Bench
from bench.data import File, Shape
from bench.pairs import Figures, compare
from bench.peers import filmroom, own_sink, storescp
from bench.results import Line
from bench.sink import SEGMENT_BYTES
from bench.suites.store import lean_senders, measured, store_once, storescu

ASSOCIATIONS = (1, 4, 8, 16)


def run(bench: Bench) -> None:
    """DCMTK's default sender against its helped one; then the intake alone against storescp --ignore."""
    nagle(bench)
    associations(bench)


def nagle(bench: Bench) -> None:
    """storescu as it is shipped: it leaves Nagle's algorithm on."""
    shape = Shape(studies=1)
    files, paths = bench.files(shape), bench.paths(shape)
    bench.report.heading("C-STORE from DCMTK as shipped (Nagle's algorithm on)")
    found = compare(
        partial(store_once, bench, filmroom, partial(storescu, paths=paths, count=1, no_delay=False), files),
        partial(store_once, bench, filmroom, partial(storescu, paths=paths, count=1), files),
        bench.rounds,
    )
    bench.report.compared("storescu x1, TCP_NODELAY unset", "/s", found["rate"], "set", least=0.8)


def associations(bench: Bench) -> None:
    """Hash and intake, spill paused (nothing drains), beside DCMTK's receiver that keeps nothing."""
    files = bench.files(Shape(studies=max(1, round(2 * bench.scale))))
    segments = sum(len(file.data) + 4096 for file in files) // SEGMENT_BYTES + 2
    bench.report.heading("Receiving alone: hash and intake, spill paused; lean senders")
    rates = {}
    for count in ASSOCIATIONS:
        found = compare(
            partial(intake_once, bench, count, files, segments),
            partial(storescp_once, bench, count, files),
            bench.rounds,
        )
        rates[count] = found["rate"].ours
        bench.report.compared(f"{count} associations", "/s", found["rate"], "storescp --ignore")
        bench.report.compared(
            "  server CPU an instance", "us", found["cpu_to_answer_us"], "storescp --ignore", most=1.0
        )
    best = max(rates[count] for count in ASSOCIATIONS[1:])
    bench.report.add(
        Line(
            measure="best of 4-16 associations, through one",
            unit="x",
            ours=best / rates[1],
            wanted=">= 1.5",
            meets=best / rates[1] >= 1.5,
        )
    )


def intake_once(bench: Bench, count: int, files: list[File], segments: int) -> Figures:
    """Our port, hash and intake."""
    with bench.room("intake") as folder, own_sink(folder, segments=segments) as server:
        return measured(server, partial(lean_senders, files=files, count=count), len(files))


def storescp_once(bench: Bench, count: int, files: list[File]) -> Figures:
    """DCMTK's port: a process an association (--fork), bytes dropped."""
    with bench.room("storescp") as folder, storescp(folder, fork=True) as server:
        return measured(server, partial(lean_senders, files=files, count=count), len(files))
