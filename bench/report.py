"""Rows of figures, as a table for people and as JSON for machines."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.machine import Machine, machine
from bench.pairs import Comparison


class Line(Struct, frozen=True, kw_only=True):
    """One figure. ``wanted``: what it should be at least or at most, in words; ``meets`` None: nothing is wanted."""

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


class Report:
    """Collects lines and prints each as it comes."""

    def __init__(self, folder: Path, say: Callable[[str], None] = print) -> None:
        self._say = say
        self._folder = folder
        self._begun: Machine = machine(folder)
        self._lines: list[Line] = []
        self._settings: dict[str, str] = {}
        self._moment = time.time()

    def heading(self, text: str) -> None:
        """Begins a group of lines."""
        self._say(f"\n{text}")

    def server(self, name: str, settings: str) -> None:
        """Notes once how a server was run."""
        if name not in self._settings:
            self._settings[name] = settings
            self._say(f"  [{name}: {settings}]")

    def add(self, line: Line) -> None:
        """One line, printed at once."""
        self._lines.append(line)
        self._say(shown(line))

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
        self.add(
            Line(
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
        )

    def write(self, path: Path) -> None:
        """All as JSON: the machine before and after, how servers were run, the lines."""
        everything = {
            "begun_unix_seconds": self._moment,
            "machine_before": self._begun,
            "machine_after": machine(self._folder),
            "servers": self._settings,
            "lines": self._lines,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(everything)) + b"\n")


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
