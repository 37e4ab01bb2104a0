"""What a run leaves: every sample, and all that is needed to read it and to run it again. The published schema
(``docs/bench-results.schema.json``) is made from the classes of this file.

While a run goes on it is written to ``results.partial.json``, ``complete`` false; the name ``results.json`` and
``complete`` true come together, at the end, by one rename. A run that is killed leaves no results that look whole.
"""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from bench.machine import Machine

FORM = "filmroom-bench-1"
LOAD_SECONDS_MAX = 600.0
MORE_IS_BETTER = frozenset({"/s", "MB/s", "Mbps", "x", "% gain"})


class Measurement(Struct, frozen=True, kw_only=True):
    """Every sample of one quantity of one target. ``rounds``: the samples of each round, in the order they were taken;
    rounds of two targets with the same place in their lists were neighbours in time."""

    suite: str
    case: str
    target: str
    quantity: str
    unit: str
    rounds: list[list[float]]

    @property
    def samples(self) -> list[float]:
        """All of them."""
        return [sample for one in self.rounds for sample in one]

    @property
    def row(self) -> tuple[str, str, str, str]:
        """What it has in common with the measurements of other targets."""
        return self.suite, self.case, self.quantity, self.unit


class Refusal(Struct, frozen=True, kw_only=True):
    """A figure that is not given, because an answer was wrong or missing. ``is_error`` false: the target does not offer
    what is asked."""

    suite: str
    case: str
    target: str
    reason: str
    is_error: bool = True


class Line(Struct, frozen=True, kw_only=True):
    """One figure of a suite that compares pairs. ``wanted``: what it should be at least or at most, in words; ``meets``
    None: nothing is wanted."""

    measure: str
    unit: str
    ours: float
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    ratio_least: float | None = None
    ratio_most: float | None = None
    pairs: int = 0
    wanted: str = ""
    meets: bool | None = None
    note: str = ""


class Settings(Struct, frozen=True, kw_only=True):
    """How it was asked for: with these the same run is made again. ``scales``: of suites that have one of their own;
    ``servers``: started by the run; ``targets``: ``name=AET@host:port,url`` of servers that ran already;
    ``columns``: headings of the record of traffic; ``load_seconds``: how long a target may take to be loaded."""

    suites: list[str]
    scale: float = 1.0
    scales: dict[str, float] = {}
    rounds: int = 2
    seed: int = 1
    servers: list[str] = []
    targets: list[str] = []
    mover: str = "lean"
    traffic: str = ""
    columns: dict[str, str] = {}
    sink_port: int = 0
    replay_seconds: float = 0.0
    pause_seconds: float = 0.0
    load_seconds: float = LOAD_SECONDS_MAX

    def scale_of(self, suite: str) -> float:
        """How much of the suite's whole size."""
        return self.scales.get(suite, self.scale)


class Results(Struct, frozen=True, kw_only=True):
    """One run. ``servers``: how each target was set up, in words. ``notes``: what a suite says about its data."""

    form: str
    complete: bool
    version: str
    begun: str
    ended: str
    settings: Settings
    machine_before: Machine
    machine_after: Machine
    servers: dict[str, str]
    measurements: list[Measurement]
    refusals: list[Refusal]
    lines: list[Line]
    notes: dict[str, list[str]]

    def targets(self) -> list[str]:
        """Names of those that were measured, the first is the one that the others are beside."""
        return list(dict.fromkeys(one.target for one in self.measurements))


class NotWhole(ValueError):
    """A file that is no results of a run that came to its end."""


def write(results: Results, path: Path) -> None:
    """Atomically; when the run is complete, the partial file goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_of(path)
    put(path if results.complete else partial, msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    if results.complete:
        partial.unlink(missing_ok=True)


def put(path: Path, content: bytes | str) -> None:
    """A file that is whole under its name, or not there."""
    unfinished = path.with_name(f"{path.name}.writing")
    unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
    unfinished.replace(path)


def set_aside(path: Path) -> None:
    """Results of an earlier run must not be taken for those of this one, should it be killed."""
    if path.exists():
        path.replace(path.with_suffix(".previous.json"))


def partial_of(path: Path) -> Path:
    """Where a run that is not at its end keeps what there is."""
    return path.with_suffix(".partial.json")


def read(path: Path) -> Results:
    """Raises NotWhole for a partial run, another form, or no results at all."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Results)
    except OSError as error:
        raise NotWhole(f"{path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise NotWhole(f"{path}: no results of the bench: {error}") from None
    if found.form != FORM:
        raise NotWhole(f"{path}: form {found.form}, this program reads {FORM}")
    if not found.complete:
        raise NotWhole(f"{path}: the run did not come to its end")
    return found


def schema() -> dict[str, Any]:
    """JSON schema of ``results.json``."""
    return msgspec.json.schema(Results)


def is_more_better(unit: str) -> bool:
    """Rates and gains; times, memory and processor time are better when less."""
    return unit in MORE_IS_BETTER
