"""filmroom viewer."""

from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from filmroom.commands.screen import say, say_json
from filmroom.exits import Exit
from filmroom.viewer import installing, package


async def install(*, source: Annotated[Path | None, Parameter(name="--from")] = None) -> int:
    """Fetch the OHIF viewer from npm, check it, and lay it down where nodes of this user serve it, at /ohif/.

    A node that runs has it at once. Exit code 3: it cannot be fetched; 2: it is not the one that is meant.

    Parameters
    ----------
    source
        The packed file (npm pack @ohif/app@3.13.2), where there is no network.
    """
    was_there = package.is_installed()
    place = await installing.install(source, say)
    say(f"OHIF {package.VERSION} is {'already ' if was_there else ''}in {place}; a node serves it at /ohif/")
    return Exit.OK


async def status(*, json: bool = False) -> int:
    """Which viewer is installed, and where. Exit 1 when there is none.

    Parameters
    ----------
    json
        As JSON: version, place, installed, size_bytes.
    """
    place, is_there = package.place(), package.is_installed()
    size = await trio.to_thread.run_sync(installing.size_bytes, place) if is_there else 0
    if json:
        say_json({"version": package.VERSION, "place": str(place), "installed": is_there, "size_bytes": size})
    elif is_there:
        print(f"OHIF {package.VERSION} in {place}, {size / 1e6:.0f} MB")
    else:
        print("no viewer is installed: filmroom viewer install")
    return Exit.OK if is_there else Exit.NO


async def rm() -> int:
    """Take the viewer away. Exit 1 when there was none."""
    if not await trio.to_thread.run_sync(installing.remove):
        say("no viewer is installed")
        return Exit.NO
    say(f"removed {package.folder()}")
    return Exit.OK
