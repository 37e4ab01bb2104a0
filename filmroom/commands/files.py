"""filmroom import, filmroom export."""

import os
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from engine import Invalid
from filmroom.access import perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import say, say_json
from filmroom.exits import Exit


class Show(Protocol):
    """Shows how far it is."""

    def __call__(self, text: str) -> None:
        """Replace the line."""


async def import_(*paths: Path, json: bool = False, place: Place = HERE) -> int:
    """Load files, folders, zips or a DICOMDIR. Run it again to go on: what is kept already is counted, not doubled.

    Exit code 1 when a file could not be kept.

    Parameters
    ----------
    json
        The counts and bad files as one JSON document.
    """
    if not paths:
        raise Invalid("import what? Name files, folders, zips or a DICOMDIR")
    absolute = [os.path.abspath(path) for path in paths]  # noqa: ASYNC240, PTH100
    bad: list[dict[str, str]] = []
    counts: dict[str, Any] = {}
    with progress() as show:
        async with aclosing(perform(place.load(), "import", paths=absolute)) as items:
            async for item in items:
                if "reason" in item:
                    bad.append(item)
                    say(f"bad: {item['file']}: {item['reason']}")
                else:
                    counts = item
                    show(_counted(counts))
    counts.pop("done", None)
    if json:
        say_json({**counts, "bad_files": bad})
    else:
        print(_counted(counts))
    return Exit.NO if bad else Exit.OK


def _counted(counts: dict[str, Any]) -> str:
    words = {
        "new": "new",
        "same": "same",
        "version": "versions",
        "elsewhere": "elsewhere",
        "bad": "bad",
        "skipped": "not DICOM",
    }
    parts = [
        f"{counts.get(name, 0)} {word}"
        for name, word in words.items()
        if counts.get(name) or name in ("new", "same", "bad")
    ]
    return ", ".join(parts) + f" ({counts.get('size_bytes', 0) / 1e6:.1f} MB)"


async def export(*words: str, json: bool = False, place: Place = HERE) -> int:
    """Write matching studies as files: filmroom export QUERY... DIR makes DIR/STUDY/SERIES/INSTANCE.dcm.

    Exit code 1 when an instance could not be written.

    Parameters
    ----------
    json
        The counts as one JSON document.
    """
    if not words or "=" in words[-1]:
        raise Invalid("export where to? The last word names a folder: filmroom export PatientID=4711 DIR")
    folder = os.path.abspath(words[-1])  # noqa: ASYNC240, PTH100 - as typed, links kept
    counts: dict[str, Any] = {"files": 0, "size_bytes": 0, "lost": 0}
    with progress() as show:
        answer = perform(place.load(), "export", words=list(words[:-1]), folder=folder)
        async with aclosing(answer) as items:
            async for item in items:
                if "sop_instance_uid" in item:
                    say(f"lost: {item['sop_instance_uid']}: run `filmroom verify`")
                else:
                    counts = item
                    show(f"{counts['files']} files")
    counts.pop("done", None)
    if json:
        say_json(counts)
    else:
        print(f"{counts['files']} files ({counts['size_bytes'] / 1e6:.1f} MB) in {folder}")
    return Exit.NO if counts["lost"] else Exit.OK


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
