"""The paper's suites by what they share: the traffic of 4.1, the 500 studies of 4.2, the sizes of 4.3.

The suites of a stage ask the same stand, so that data is made and stored once.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence

from bench.bench import Bench
from bench.data import Shape, study_files
from bench.stand import standing
from bench.suites import find_instances, flat_query, parallel_move, random_access, replay, study_sizes
from bench.targets import Start
from bench.traffic_files import series_files

ROOM_TIMES = 1.3  # of the data, for each target
Asked = Sequence[str]


def traffic(bench: Bench, asked: Asked, starts: dict[str, Start]) -> None:
    """``replay`` is how the data comes in; without it they are stored as fast as they can be."""
    series = replay.planned(bench.settings)
    if not series:
        raise RuntimeError("no figure: the scale leaves no series")
    check_room(bench, sum(one.size for one in series), starts)
    with standing(bench, starts) as stand:
        bench.report.suite(asked[0])
        replay.describe(bench, series)
        if "replay" in asked:
            replay.run(bench, stand, series)
        else:
            stand.load(series_files(one, bench.settings.seed) for one in series)
        if "flat-query" in asked:
            bench.report.suite("flat-query")
            flat_query.run(bench, stand, series)
        if "random-access" in asked:
            bench.report.suite("random-access")
            random_access.run(bench, stand, series)
        if "replay" in asked:
            replay.prove(bench, stand)


def archive(bench: Bench, asked: Asked, starts: dict[str, Start]) -> None:
    """The generated studies of 4.2."""
    shape = parallel_move.shape(bench)
    check_room(bench, shape.instance_count * 2 * shape.rows**2, starts)
    with standing(bench, starts) as stand:
        bench.report.suite(asked[0])
        stand.load(list(study_files(shape, study)) for study in range(shape.studies))
        if "find-instances" in asked:  # first: its series must be new to the targets
            bench.report.suite("find-instances")
            find_instances.run(bench, stand)
        if "parallel-move" in asked:
            bench.report.suite("parallel-move")
            parallel_move.run(bench, stand)


def sizes(bench: Bench, asked: Asked, starts: dict[str, Start]) -> None:
    """The studies of 4.3."""
    wanted = study_sizes.sets(bench)
    shapes: list[Shape] = [one.shape for one in wanted]
    check_room(bench, sum(one.instance_count * 2 * one.rows**2 for one in shapes), starts)
    with standing(bench, starts) as stand:
        bench.report.suite(asked[0])
        stand.load(list(study_files(shape, study)) for shape in shapes for study in range(shape.studies))
        study_sizes.run(bench, stand, wanted)


Run = Callable[[Bench, Asked, dict[str, Start]], None]
STAGES: Mapping[tuple[str, ...], Run] = {
    ("replay", "flat-query", "random-access"): traffic,
    ("parallel-move", "find-instances"): archive,
    ("study-sizes",): sizes,
}
PAPER = tuple(name for names in STAGES for name in names)


def check_room(bench: Bench, size: int, starts: Mapping[str, Start]) -> None:
    """RuntimeError when the data of all targets does not fit on the disk, with a scale that would."""
    bench.folder.mkdir(parents=True, exist_ok=True)
    needed, free = ROOM_TIMES * size * len(starts), 0.9 * shutil.disk_usage(bench.folder).free
    if needed > free:
        raise RuntimeError(
            f"no figure: {needed / 1e9:.0f} GB for {len(starts)} targets do not fit into the {free / 1e9:.0f} GB that "
            f"are free in {bench.folder}; a scale of {free / needed:.1g} of this one would"
        )
