"""Rows of figures as they come: on the screen for people, in ``bench.results`` for machines."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import results
from bench.machine import Machine, first_line, machine
from bench.pairs import Comparison
from bench.results import Line, Measurement, Refusal, Results, Settings

OURS = "filmroom"


def say(text: str) -> None:
    """A line on the screen, at once. Whose reader has gone (``| head``) is not heard any more, and the work goes on:
    what it finds is in its files and its exit code."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Report:
    """Collects what is measured and prints each line as it comes."""

    def __init__(self, folder: Path, say: Callable[[str], None] = say, settings: Settings | None = None) -> None:
        self.say = say
        self.show: Callable[[str], None] = lambda text: None  # how far it is
        self._folder = folder
        self._settings = settings or Settings(suites=[])
        self._machine: Machine = machine(folder)
        self._begun = time.time()
        self._suite = self._heading = self._measure = ""
        self._servers: dict[str, str] = {}
        self._lines: list[Line] = []
        self._measurements: list[Measurement] = []
        self._refusals: list[Refusal] = []
        self._notes: dict[str, list[str]] = {}

    def suite(self, name: str) -> None:
        """What comes now belongs to it."""
        self._suite, self._heading, self._measure = name, "", ""
        self.show(name)

    def heading(self, text: str) -> None:
        """Begins a group of lines."""
        self._heading, self._measure = text, ""
        self.say(f"\n{text}")

    def note(self, text: str) -> None:
        """Something to be known of the suite's data."""
        self._notes.setdefault(self._suite, []).append(text)
        self.say(f"  {text}")

    def server(self, name: str, settings: str) -> None:
        """Notes once how a server was run."""
        if name not in self._servers:
            self._servers[name] = settings
            self.say(f"  [{name}: {settings}]")

    def add(self, line: Line) -> None:
        """One line, printed at once."""
        self._lines.append(line)
        if line.theirs is None:
            self._keep(line.measure, OURS, line.unit, [line.ours])
        self.say(shown(line))

    def measured(self, case: str, target: str, quantity: str, unit: str, rounds: Sequence[Sequence[float]]) -> None:
        """Every sample of one quantity of one target."""
        kept = [[round(sample, 6) for sample in one] for one in rounds]
        self._measurements.append(
            Measurement(suite=self._suite, case=case, target=target, quantity=quantity, unit=unit, rounds=kept)
        )

    def refused(self, case: str, target: str, reason: str, *, is_error: bool = True) -> None:
        """No figure, and why."""
        refusal = Refusal(suite=self._suite, case=case, target=target, reason=reason, is_error=is_error)
        self._refusals.append(refusal)
        self.say(f"  NO FIGURE: {', '.join(filter(None, (target, case)))}: {reason}")

    def withdraw(self, suite: str, target: str, reason: str) -> None:
        """What was measured of a target in a suite is no figure after all, and why."""
        self._measurements = [one for one in self._measurements if (one.suite, one.target) != (suite, target)]
        self._suite = suite
        self.refused("", target, reason)

    def refusals(self) -> Sequence[Refusal]:
        """All so far."""
        return tuple(self._refusals)

    def compared(
        self,
        measure: str,
        unit: str,
        comparison: Comparison,
        peer: str,
        *,
        least: float | None = None,
        most: float | None = None,
        note: str = "",
    ) -> None:
        """A line of a comparison; ``least`` or ``most`` bound our value through theirs."""
        meets = None
        if least is not None:
            meets = comparison.ratio >= least
        elif most is not None:
            meets = comparison.ratio <= most
        wanted = f">= {least:g}x" if least is not None else f"<= {most:g}x" if most is not None else ""
        line = Line(
            measure=measure,
            unit=unit,
            ours=comparison.ours,
            peer=peer,
            theirs=comparison.theirs,
            ratio=comparison.ratio,
            ratio_least=comparison.ratio_least,
            ratio_most=comparison.ratio_most,
            pairs=comparison.pairs,
            wanted=wanted,
            meets=meets,
            note=note,
        )
        self.add(line)
        self._keep(measure, OURS, unit, comparison.ours_samples)
        self._keep(measure, peer, unit, comparison.theirs_samples)

    def results(self, complete: bool) -> Results:
        """All so far."""
        return Results(
            form=results.FORM,
            complete=complete,
            version=our_version(),
            begun=_moment(self._begun),
            ended=_moment(time.time()),
            settings=self._settings,
            machine_before=self._machine,
            machine_after=machine(self._folder),
            servers=self._servers,
            measurements=self._measurements,
            refusals=self._refusals,
            lines=self._lines,
            notes=self._notes,
        )

    def write(self, path: Path, *, complete: bool) -> Results:
        """To ``path`` when the run is complete, else to the partial file beside it."""
        found = self.results(complete)
        results.write(found, path)
        return found

    def _keep(self, measure: str, target: str, unit: str, samples: Sequence[float]) -> None:
        """The samples behind a line: an indented one belongs to the last that is not."""
        name = measure.strip()
        if name == measure:
            self._measure = name
        case = ": ".join(filter(None, (self._heading, self._measure)))
        quantity = "figure" if name == measure else name
        taken = [
            one for one in self._measurements if (one.case, one.quantity, one.suite) == (case, quantity, self._suite)
        ]
        if target not in {one.target for one in taken}:  # ours beside a second peer: the first time is kept
            self.measured(case, target, quantity, unit, [[sample] for sample in samples])


def our_version() -> str:
    """Of the installed distribution; of a tree that is not installed its commit."""
    try:
        return version("filmroom")
    except PackageNotFoundError:
        return f"tree at {first_line('git', '-C', str(Path(__file__).parent), 'describe', '--always', '--dirty')}"


def shown(line: Line) -> str:
    """One line of the table."""
    text = f"  {line.measure:<52} {figure(line.ours):>8} {line.unit:<5}"
    if line.theirs is not None and line.ratio is not None:
        text += f" {line.peer} {figure(line.theirs)}: {line.ratio:.2f}x"
        text += f" [{line.ratio_least:.2f}..{line.ratio_most:.2f}, {line.pairs} pairs]"
    if line.wanted:
        text += f"  wanted {line.wanted}: {'met' if line.meets else 'MISSED'}"
    return text + (f"  ({line.note})" if line.note else "")


def figure(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
