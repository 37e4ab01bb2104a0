"""Data to standard output, talk to standard error; tables for people, tabs for pipes."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from filmroom.exits import leaf_of


def say(text: str) -> None:
    """One line of talk."""
    print(text, file=sys.stderr)


def say_json(value: object) -> None:
    """One JSON document as data."""
    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A table on a terminal, tab-separated lines in a pipe."""
    cells = [[_printable(str(row.get(column, ""))) for column in columns] for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=None, pad_edge=False)
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


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
