"""filmroom doctor."""

import os
from typing import Any

import msgspec

import filmroom
from engine import Corrupt, FilmroomError
from filmroom.access import perform
from filmroom.check import Check
from filmroom.commands.place import DAMAGED, HERE, Place
from filmroom.commands.screen import say_json
from filmroom.exits import Exit, Unreachable

_COLOURS = {"ok": "\033[32m", "warn": "\033[33m", "bad": "\033[31m"}


async def doctor(*, json: bool = False, place: Place = HERE) -> int:
    """Check settings, ports, clock, disk, syncs, limits and what the archive holds twice; says what to do.

    One line each: ok, warn or bad. Exit code 1 when one is bad. On a running node it looks from inside that process.

    Parameters
    ----------
    json
        A JSON array: name, state (ok, warn, bad), found, fix.
    """
    checks: list[Check] = []

    def hear(item: dict[str, Any]) -> None:
        checks.append(msgspec.convert(item, Check))
        if not json:
            print(_line(checks[-1]), flush=True)

    await _examine(place, lambda check: hear(msgspec.to_builtins(check)), hear)
    if json:
        say_json([msgspec.to_builtins(check) for check in checks])
    return Exit.NO if any(check.state == "bad" for check in checks) else Exit.OK


async def _examine(place: Place, add: Any, hear: Any) -> None:
    try:
        loaded, bearing = place.load(), place.load(**DAMAGED)
    except FilmroomError as error:
        add(Check("settings", "bad", str(error), "filmroom config init shows how it is written"))
        return
    origins = sorted({origin for origin in loaded.origins.values() if origin != "default"})
    add(Check("settings", "ok", f"set by {', '.join(origins)}" if origins else "all at their defaults"))
    try:
        await perform(bearing, "doctor", hear, version=str(filmroom.__version__))
    except (Unreachable, FilmroomError, OSError) as error:
        from filmroom.examining import without_archive

        add(_unopened(error))
        for check in without_archive(loaded.settings):
            add(check)


def _unopened(error: Exception) -> Check:
    if isinstance(error, Unreachable) and str(error).startswith("no archive at"):
        return Check("archive", "warn", *str(error).split(": ", 1))
    if isinstance(error, PermissionError) and not error.errno:  # a sentence of ours, with what to do
        return Check("archive", "bad", *str(error).split(": ", 1))
    if isinstance(error, Corrupt):
        return Check("archive", "bad", str(error), "bring it back from a copy of the archive")
    return Check("archive", "bad", str(error), "look at the log of the node that holds it, or run filmroom verify")


def _line(check: Check) -> str:
    state = f"{check.state:<4}"
    if os.isatty(1) and "NO_COLOR" not in os.environ:
        state = f"{_COLOURS[check.state]}{state}\033[0m"
    return f"{state} {check.name:<12} {check.found}" + (f": {check.fix}" if check.fix else "")
