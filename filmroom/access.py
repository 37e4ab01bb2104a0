"""How a command reaches the archive: through the running node's control socket, or by opening the store itself."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from engine import Conflict
from filmroom import control
from filmroom.compose import node_folder, open_node
from filmroom.exits import Unreachable
from filmroom.settings import Loaded


async def perform(loaded: Loaded, do: str, **parameters: Any) -> AsyncGenerator[Any, None]:
    """Items of one operation. Raises what the operation raises; Unreachable when the store is held by a process that
    does not answer."""
    folder = node_folder(loaded.settings.store.url)
    stream = await control.connect(folder) if folder else None
    if stream is not None and folder is not None:
        await stream.aclose()
        async with aclosing(control.ask(folder, do, parameters)) as items:
            async for item in items:
                yield item
        return
    from filmroom.operations import answer

    try:
        async with open_node(loaded.settings) as node, aclosing(answer(node)(do, parameters)) as items:
            async for item in items:
                yield item
    except Conflict as error:
        raise Unreachable(f"{error}; it does not answer on its control socket (is it just starting?)") from error
