"""Data to standard output, talk to standard error; tables for people, tabs for pipes."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from filmroom.exits import leaf_of

SHORT = 8  # letters: a date, a count; longer texts give way on a narrow terminal
GAP = 2
NOTHING = "nothing matched"


class Show(Protocol):
    """Shows how far it is."""

    def __call__(self, text: str) -> None:
        """Replace the line."""


def say(text: str) -> None:
    """One line of talk."""
    print(text, file=sys.stderr)


def say_json(value: object) -> None:
    """One JSON document as data."""
    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], whole: str = "") -> None:
    """A table on a terminal (key to heading; the column ``whole``, the last, is never cut), tab-separated lines in a
    pipe, ``whole`` first."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(_cell(row, column) for column in sorted(columns, key=lambda column: column != whole)))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    widths = _widths(columns, rows, whole, console.width)
    drawn = Table(box=None, pad_edge=False)
    for column, heading in columns.items():
        drawn.add_column(heading, no_wrap=True, width=widths[column])
    for row in rows:
        drawn.add_row(*(Text(_cell(row, column)) for column in columns))
    console.width = max(console.width, sum(widths.values()) + GAP * (len(widths) - 1))
    console.print(drawn)


def _widths(
    columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], whole: str, screen_width: int
) -> dict[str, int]:
    """As wide as its longest cell; where the screen is narrower, the longest give way, but never ``whole``."""
    widths = {
        column: max([len(heading), *(len(_cell(row, column)) for row in rows)]) for column, heading in columns.items()
    }
    room = screen_width - GAP * (len(widths) - 1)
    while sum(widths.values()) > room:
        longest = max((column for column in widths if column != whole), key=widths.__getitem__, default=whole)
        if widths[longest] <= SHORT or longest == whole:
            break
        widths[longest] -= 1
    return widths


def _cell(row: Mapping[str, Any], column: str) -> str:
    return _printable(str(row.get(column, "")))


def _printable(text: str) -> str:
    """Without control characters: a value of a data set must not steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


@contextmanager
def interrupted(done: Callable[[], str]) -> Iterator[None]:
    """Within: Ctrl-C says what is done by then."""
    try:
        yield
    except BaseException as error:
        if isinstance(leaf_of(error), KeyboardInterrupt):
            say(f"interrupted: {done()}")
        raise


def agreed(question: str) -> bool:
    """Whether a person says yes. Raises Invalid without a terminal: nobody can answer, --yes must have been said."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        from engine import Invalid

        raise Invalid(f"{question} Nobody is here to ask: say --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def many(noun: str, count: int) -> str:
    """``1 study``, ``2 studies``."""
    plural = {"study": "studies", "series": "series"}.get(noun, noun + "s")
    return f"{count} {noun if count == 1 else plural}"


def sized(size_bytes: int) -> str:
    """Bytes in the unit that people read."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= length:
            return f"{size_bytes / length:.1f} {unit}"
    return f"{size_bytes} B"


@contextmanager
def progress() -> Iterator[Show]:
    """A moving bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda text: bar.update(task, description=text)
