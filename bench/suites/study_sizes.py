"""The paper's Table 4: studies of 2 to 1024 MB by 4, 8 and 16 threads; and the variant of 256 kB instances."""

from collections.abc import Sequence

from msgspec import Struct

from bench.bench import Bench
from bench.data import Shape
from bench.moving import moved
from bench.peers import Server
from bench.stand import Stand
from bench.taking import Samples, take

SIZES_MB = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
THREADS = (4, 8, 16)
STUDIES, STUDIES_LEAST = 32, 16
SERIES = 4
ROWS = {512: 512, 256: 362}  # instances of 512 and 256 kB
SEED = 200


class Sized(Struct, frozen=True):
    """Studies of one size."""

    size_mb: int
    instance_kb: int
    shape: Shape


def sets(bench: Bench) -> list[Sized]:
    """As many sizes, from the least, as fit into the scale's share of all bytes; the 256 kB variant of the largest."""
    scale = bench.settings.scale_of("study-sizes")
    studies = max(STUDIES_LEAST, min(STUDIES, round(STUDIES * scale * 2)))
    room, sizes = scale * STUDIES * sum(SIZES_MB), list[int]()
    for size in SIZES_MB:
        room -= studies * size
        if room >= 0 or not sizes:
            sizes.append(size)
    wanted = [(size, 512) for size in sizes] + [(sizes[-1], 256)]
    return [Sized(size, kb, _shape(bench, size, kb, studies, at)) for at, (size, kb) in enumerate(wanted)]


def run(bench: Bench, stand: Stand, wanted: Sequence[Sized]) -> None:
    """Each size by each number of threads; all studies of a size are moved each time."""
    studies = stand.truth.studies
    report, mover = bench.report, bench.settings.mover
    report.note(f"{wanted[0].shape.studies} studies of each size; client: {mover}; no cache is dropped between runs")
    for threads in THREADS:
        first, servers = 0, list(stand.servers)
        for one in wanted:
            own = studies[first : first + one.shape.studies]
            first += one.shape.studies

            def work(server: Server, _: int, own: Sequence[str] = own, threads: int = threads) -> Samples:
                done = moved(stand, server, own, threads, mover)
                return {
                    ("instances a second", "/s"): [done.rate],
                    ("seconds per 100 instances", "s"): [100 / done.rate],
                    ("throughput", "Mbps"): [done.mbps],
                    **done.costs,
                }

            case = f"{threads} threads, {one.size_mb} MB" + ("" if one.instance_kb == 512 else " of 256 kB")
            servers = take(report, servers, case, bench.rounds, work)


def _shape(bench: Bench, size_mb: int, instance_kb: int, studies: int, at: int) -> Shape:
    return Shape(
        studies=studies,
        series=SERIES,
        instances=max(1, size_mb * 1024 // instance_kb // SERIES),
        rows=ROWS[instance_kb],
        seed=(bench.settings.seed + SEED) * 20 + at,
    )
