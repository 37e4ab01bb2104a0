"""filmroom import, filmroom export."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from engine import Invalid
from filmroom.access import perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import interrupted, say, say_json
from filmroom.compose import store_flag
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
    if not any(map(os.path.lexists, absolute)):
        raise Invalid(f"there is no such file or folder: {paths[0]}")
    bad: list[dict[str, str]] = []
    counts: dict[str, Any] = {}

    def hear(item: dict[str, Any]) -> None:
        if "reason" not in item:
            counts.update(item)
            show(_counted(counts))
            return
        bad.append(item)
        if not json:
            say(f"bad: {item['file']}: {item['reason']}")

    with progress() as show, interrupted(lambda: f"{_kept(counts)} kept; run it again to go on"):
        await perform(place.load(), "import", hear, paths=absolute)
    counts.pop("done", None)
    if json:
        say_json({**counts, "bad_files": bad})
    else:
        print(_counted(counts))
    return Exit.NO if bad else Exit.OK


def _kept(counts: dict[str, Any]) -> int:
    return sum(int(counts.get(outcome, 0)) for outcome in ("new", "same", "version", "elsewhere"))


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
    counts: dict[str, Any] = {}
    loaded = place.load()

    def hear(item: dict[str, Any]) -> None:
        if "why" in item:
            say(f"{item['why']}: {item['sop_instance_uid']}")
        else:
            counts.update(item)
            show(f"{counts['files']} files")

    with progress() as show, interrupted(lambda: f"{counts.get('files', 0)} files written"):
        await perform(loaded, "export", hear, words=list(words[:-1]), folder=folder)
    counts.pop("done", None)
    if json:
        say_json(counts)
    else:
        print(f"{counts['files']} files ({counts['size_bytes'] / 1e6:.1f} MB) in {folder}: STUDY/SERIES/INSTANCE.dcm")
    if counts["older_versions"]:
        say(f"{counts['older_versions']} older versions not exported")
    if counts["lost"] or counts["damaged"]:
        say(f"see what else is damaged: filmroom verify{store_flag(loaded.settings.store.url)}")
    return Exit.NO if counts["lost"] or counts["damaged"] else Exit.OK


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
