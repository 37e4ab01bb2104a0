"""filmroom verify, reindex, status."""

from contextlib import aclosing
from typing import Any

from filmroom.access import perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import last, say_json
from filmroom.exits import Exit


async def verify(*, deep: bool = True, json: bool = False, place: Place = HERE) -> int:
    """Re-read the store: journal, objects, index against truth. Exit code 1 on damage.

    Parameters
    ----------
    deep
        Re-read and re-hash every byte (--no-deep: sizes and names only).
    json
        The findings as one JSON document.
    """
    findings: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    async with aclosing(perform(place.load(), "verify", deep=deep)) as items:
        async for item in items:
            if "findings" in item:
                summary = item
                continue
            findings.append(item)
            if not json:
                print(f"{'damage' if item['damage'] else 'note'}: {item['key']}: {item['sentence']}")
    if json:
        say_json({**summary, "findings": findings})
    elif not summary["damaged"]:
        print("sound")
    return Exit.NO if summary["damaged"] else Exit.OK


async def reindex(*, json: bool = False, place: Place = HERE) -> int:
    """Rebuild the index from the journal.

    Parameters
    ----------
    json
        The count as JSON.
    """
    done = await last(perform(place.load(), "reindex"))
    if json:
        say_json(done)
    else:
        print(f"{done['records']} records indexed")
    return Exit.OK


async def status(*, json: bool = False, place: Place = HERE) -> int:
    """Figures of the node: studies, what waits in the intake, failures.

    Parameters
    ----------
    json
        All of it as JSON.
    """
    figures = await last(perform(place.load(), "status"))
    if json:
        say_json(figures)
        return Exit.OK
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{inner} {amount}" for inner, amount in value.items())
        print(f"{name.replace('_', ' '):<18} {value}")
    return Exit.OK
