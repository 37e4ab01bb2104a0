"""filmroom verify, reindex, status."""

from typing import Annotated, Any

from cyclopts import Parameter

from filmroom.access import last, perform
from filmroom.commands.place import DAMAGED, HERE, Place
from filmroom.commands.screen import interrupted, many, progress, say, say_json, sized
from filmroom.exits import Exit


async def verify(
    *, deep: Annotated[bool, Parameter(negative="--no-deep")] = True, json: bool = False, place: Place = HERE
) -> int:
    """Re-read the store: journal, objects, index against truth. Exit code 1 on damage.

    Parameters
    ----------
    deep
        Re-read and re-hash every byte (default); --no-deep: names and sizes only.
    json
        Counts and findings (kind, key, sentence, damage) as one JSON document.
    """
    findings: list[dict[str, Any]] = []
    done: dict[str, Any] = {"objects": 0, "size_bytes": 0}

    def hear(item: dict[str, Any]) -> None:
        if "objects" in item:
            done.update(item)
            show(_objects(done))
            return
        findings.append(item)
        if not json:
            print(_finding(item))

    with progress() as show, interrupted(lambda: _objects(done)):
        await perform(place.load(**DAMAGED), "verify", hear, deep=deep)
    if json:
        say_json({**done, "findings": findings})
    else:
        verdict = f"{done['damaged']} damaged" if done["damaged"] else "sound"
        print(f"{verdict}: {_objects(done)}, {done['seconds']:.1f} s" + ("" if deep else " (names and sizes only)"))
    return Exit.NO if done["damaged"] else Exit.OK


def _finding(item: dict[str, Any]) -> str:
    where = "" if item["key"] in item["sentence"] else f"{item['key']}: "
    return f"{'damage' if item['damage'] else 'note'}: {where}{item['sentence']}"


def _objects(done: dict[str, Any]) -> str:
    return f"{many('object', done['objects'])}, {sized(done['size_bytes'])}"


async def reindex(*, json: bool = False, place: Place = HERE) -> int:
    """Rebuild the index from the journal; a running node stays up. Exit code 1 when the journal is damaged.

    Parameters
    ----------
    json
        Counts of records and of damaged journal entries as JSON.
    """
    done: dict[str, Any] = {}

    def hear(item: dict[str, Any]) -> None:
        if "records" in item:
            done.update(item)
        else:
            say(_finding(item))

    await perform(place.load(), "reindex", hear)
    if json:
        say_json(done)
    else:
        print(f"{many('record', done['records'])} indexed")
    return Exit.NO if done["damaged"] else Exit.OK


async def status(*, json: bool = False, place: Place = HERE) -> int:
    """What runs, what is kept, what waits. Without a running node: of the store as it is opened.

    Parameters
    ----------
    json
        All figures as JSON.
    """
    figures = await last(place.load(), "status")
    if json:
        say_json(figures)
        return Exit.OK
    for name, text in _told(figures):
        print(f"{name:<8} {text}")
    if figures["failure"]:
        say(f"failed: {figures['failure']}")
    return Exit.OK


def _told(figures: dict[str, Any]) -> list[tuple[str, str]]:
    version = f"filmroom {figures['version']}"
    node = [("node", f"not running ({version})")]
    if figures["running"]:
        node = [
            ("node", f"running for {_duration(figures['uptime_seconds'])} ({version})"),
            ("dicom", f"{figures['dicom']}  AE title {figures['ae_title']}"),
            ("http", f"http://{figures['http']}"),
        ]
    free = figures["free_bytes"]
    kept = [many(noun, figures[f"{noun}_count"]) for noun in ("study", "series", "instance")]
    waiting = f"{many('instance', figures['unspilled_count'])}, {sized(figures['unspilled_bytes'])}"
    return [
        *node,
        ("store", figures["url"] + ("" if free is None else f"  {sized(free)} free")),
        ("kept", ", ".join(kept)),
        ("waiting", f"{waiting} in the intake (acknowledged at {figures['ack']})"),
        ("peers", str(figures["peer_count"])),
    ]


def _duration(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
