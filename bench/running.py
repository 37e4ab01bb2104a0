"""One run: suites in turn, a partial file after each, the whole at the end."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from bench import results, tables
from bench.bench import Bench
from bench.report import Report
from bench.results import Results, Settings
from bench.stages import PAPER, STAGES
from bench.suites import (
    growth,
    idle,
    large,
    move,
    questions,
    receiving,
    recovery,
    resources,
    scan,
    soak,
    store,
    stow,
    viewer,
    web,
)
from bench.targets import starts

# Beyond the paper: each starts its own servers.
BEYOND: Mapping[str, Callable[[Bench], None]] = {
    "scan": scan.run,
    "idle": idle.run,
    "store": store.run,
    "stow": stow.run,
    "receiving": receiving.run,
    "move": move.run,
    "find": questions.run,
    "web": web.run,
    "viewer": viewer.run,
    "growth": growth.run,
    "soak": soak.run,
    "resources": resources.run,
    "large": large.run,
    "recovery": recovery.run,
}
SUITES = (*PAPER, *BEYOND)
# Small enough for two minutes with two peers beside us on two cores.
QUICK_SCALES = {
    "replay": 0.0002,
    "flat-query": 0.0002,
    "random-access": 0.0002,
    "parallel-move": 0.003,
    "find-instances": 0.003,
    "study-sizes": 0.0016,
}


def run(settings: Settings, folder: Path, out: Path) -> Results:
    """Every suite that is asked for. One that fails says so, and the others go on."""
    folder.mkdir(parents=True, exist_ok=True)
    results.set_aside(out)
    with progress() as show:
        report = Report(folder, settings=settings)
        report.show = show
        bench = Bench(folder.resolve(), settings.scale, settings.rounds, report, settings)
        try:
            _stages(bench, out)
            for name in settings.suites:
                if name in BEYOND:
                    scaled = msgspec.structs.replace(bench, scale=settings.scale_of(name))
                    report.suite(name)
                    _guarded(report, partial(BEYOND[name], scaled))
                    report.write(out, complete=False)
        except BaseException:
            report.write(out, complete=False)
            raise
        finally:
            bench.clean()
    return report.write(out, complete=True)


def _stages(bench: Bench, out: Path) -> None:
    report, asked_for = bench.report, bench.settings.suites
    for names, stage in STAGES.items():
        asked = [name for name in names if name in asked_for]
        if not asked:
            continue
        report.suite(asked[0])
        report.heading(f"== {', '.join(asked)} ==")
        known = starts(bench.settings.servers, bench.settings.targets)
        scaled = msgspec.structs.replace(bench, scale=bench.settings.scale_of(names[0]))
        _guarded(report, partial(stage, scaled, asked, known))
        bench.clean()
        found = report.write(out, complete=False)
        for name in asked:
            report.say(f"\n{name}")
            for line in tables.table(found, name):
                report.say(line)


def _guarded(report: Report, work: Callable[[], None]) -> None:
    try:
        work()
    except (RuntimeError, OSError) as failure:
        report.refused("", "", str(failure) or type(failure).__name__)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """How far it is: a line that moves on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update
