"""The receiving side alone: Nagle's algorithm, and how hash and intake grow with associations."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.bench import Bench
from bench.content import Truth
from bench.data import File, Shape
from bench.loading import load_once, measured
from bench.pairs import Figures, compare
from bench.peers import filmroom, own_sink, storescp
from bench.results import Line
from bench.sink import SEGMENT_BYTES
from bench.stand import sinking
from bench.suites.store import by_storescu, lean_senders
from native.dataset import describe
from native.scan import scan

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
    with bench.room("sinks") as folder, sinking(folder) as sinks:
        once = partial(load_once, bench, sinks, filmroom, files=files)
        found = compare(
            partial(once, send=partial(by_storescu, paths=paths, count=1, no_delay=False)),
            partial(once, send=partial(by_storescu, paths=paths, count=1)),
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
        figures = measured(server, lean_senders(files, count)(server), len(files))
        prove_logged(folder, segments, files)
        return figures


def prove_logged(folder: Path, segments: int, files: Sequence[File]) -> None:
    """Raises Wrong unless the intake's segments hold all of the files, whole and unaltered, each once."""
    truth, taken = Truth(), list[tuple[str, bytes]]()
    truth.add(files)
    for number in range(segments):
        with (folder / f"segment{number}").open("rb") as segment:
            for entry in scan(segment.fileno(), number, 1, SEGMENT_BYTES).entries:
                segment.seek(entry.payload_offset)
                found = describe(segment.read(entry.payload_length))
                taken.append((found.sop_instance_uid, found.content_digest))
    truth.check(taken, truth.places)


def storescp_once(bench: Bench, count: int, files: list[File]) -> Figures:
    """DCMTK's port: a process an association (--fork), bytes dropped: nothing is there to be read back."""
    with bench.room("storescp") as folder, storescp(folder, fork=True) as server:
        return measured(server, lean_senders(files, count)(server), len(files))
