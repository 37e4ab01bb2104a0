"""filmroom verify, reindex, status."""

from typing import Annotated, Any

from cyclopts import Parameter

from filmroom.access import last, perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import say_json
from filmroom.exits import Exit


async def verify(
    *, deep: Annotated[bool, Parameter(negative="--no-deep")] = True, json: bool = False, place: Place = HERE
) -> int:
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

    def hear(item: dict[str, Any]) -> None:
        if "findings" in item:
            summary.update(item)
            return
        findings.append(item)
        if not json:
            print(f"{'damage' if item['damage'] else 'note'}: {item['sentence']}")

    await perform(place.load(), "verify", hear, deep=deep)
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
    done = await last(place.load(), "reindex")
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
    figures = await last(place.load(), "status")
    if json:
        say_json(figures)
        return Exit.OK
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{inner} {amount}" for inner, amount in value.items())
        print(f"{name.replace('_', ' '):<18} {value}")
    return Exit.OK
