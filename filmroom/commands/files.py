"""filmroom import, filmroom export."""

import os
from pathlib import Path
from typing import Any

from engine import Invalid
from filmroom.access import perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import NOTHING, interrupted, many, progress, say, say_json, sized
from filmroom.compose import store_flag
from filmroom.exits import Exit


async def import_(*paths: Path, json: bool = False, place: Place = HERE) -> int:
    """Load files, folders, zips or a DICOMDIR. Run it again to go on: what is kept already is counted, not doubled.

    Exit code 1 when a file could not be kept; the others are.

    Parameters
    ----------
    paths
        Files, folders (with all below them), zips, or a DICOMDIR (the files that it names).
    json
        One JSON document: counts new, same (kept already), version (other content under a known UID), elsewhere (a
        known UID in another study or series), bad, skipped (no DICOM, or a media directory), size_bytes; and
        bad_files with file and reason.
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
        "skipped": "skipped (no images)",
    }
    parts = [
        f"{counts.get(name, 0)} {word if name != 'version' or counts[name] != 1 else name}"
        for name, word in words.items()
        if counts.get(name) or name in ("new", "same", "bad")
    ]
    return ", ".join(parts) + f" ({sized(counts.get('size_bytes', 0))})"


async def export(*words: str, json: bool = False, place: Place = HERE) -> int:
    """Write matching studies as files: DIR/STUDY/SERIES/INSTANCE.dcm.

    Each is checked against its hash. Exit code 1 when one is lost or damaged (no file is written of it), or nothing
    matched the query.

    Parameters
    ----------
    words
        QUERY... DIR: a query as in `filmroom find` (none: everything), then the folder to write to.
    json
        One JSON document: files, size_bytes, lost, damaged, older_versions (of these instances, not written).
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
    is_unmatched = len(words) > 1 and not (counts["files"] or counts["lost"] or counts["damaged"])
    if json:
        say_json(counts)
    elif is_unmatched:
        print(NOTHING)
    else:
        written = f"{many('file', counts['files'])} ({sized(counts['size_bytes'])})"
        print(f"{written} in {folder}: STUDY/SERIES/INSTANCE.dcm")
    if counts["older_versions"]:
        say(f"{many('older version', counts['older_versions'])} not exported")
    if counts["lost"] or counts["damaged"]:
        say(f"see what else is damaged: filmroom verify{store_flag(loaded.settings.store.url)}")
    return Exit.NO if counts["lost"] or counts["damaged"] or is_unmatched else Exit.OK
