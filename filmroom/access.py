"""How a command reaches the archive: through the running node's control socket, or by opening the store itself."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import trio

from engine import Conflict, Invalid, is_archive, node_folder
from filmroom import control
from filmroom.compose import open_node
from filmroom.exits import Unreachable
from filmroom.settings import Loaded

# All others read or change an archive that must be there: a store that is named wrongly is not made by looking at it.
MAKES_STORE = frozenset({"import"})


async def perform(loaded: Loaded, do: str, hear: Callable[[Any], None], **parameters: Any) -> None:
    """Do one operation; ``hear`` gets its items. Raises what the operation raises; Unreachable when there is no archive
    or the process that holds it does not answer; Invalid for a store in memory."""
    url = loaded.settings.store.url
    folder = node_folder(loaded.settings.store)
    if folder is None and url.startswith("memory:"):
        raise Invalid("memory:// ends with the process that opened it: only `filmroom serve` can use it")
    if folder is not None:
        stream = await control.connect(folder)
        if stream is not None:
            await stream.aclose()
            async with aclosing(control.ask(folder, do, parameters)) as items:
                async for item in items:
                    hear(item)
            return
        if do not in MAKES_STORE and not await trio.to_thread.run_sync(is_archive, loaded.settings.store):
            raise Unreachable(f"no archive at {url}: name it with --store; `filmroom serve` and `import` make one")
    await _perform_here(loaded, do, hear, parameters)


async def last(loaded: Loaded, do: str, **parameters: Any) -> Any:
    """The last item of an operation."""
    items: list[Any] = []
    await perform(loaded, do, items.append, **parameters)
    return items[-1]


async def _perform_here(loaded: Loaded, do: str, hear: Callable[[Any], None], parameters: dict[str, Any]) -> None:
    from filmroom.operations import answer

    async def tell(item: Any) -> None:
        hear(item)

    held = True
    try:
        async with open_node(loaded.settings) as node:
            held = False
            await answer(node)(do, parameters, tell)
    except Conflict as error:
        if held:
            raise Unreachable(f"{error}; it does not answer on its control socket (is it just starting?)") from error
        raise
