"""What commands do to an open node, the same whether it was opened for the command or answers on its control socket.

An operation takes the node and plain parameters and yields plain items: all of it fits one JSON line each.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec

from engine import Invalid, rows
from engine.ports import Peer
from filmroom import exporting, importing
from filmroom.compose import Node, dimse_settings
from filmroom.query_text import parse
from filmroom.settings import PeerSettings
from protocols import dimse

Items = AsyncGenerator[dict[str, Any], None]


async def find(node: Node, *, words: list[str], limit: int | None, sort: list[str]) -> Items:
    """First ``{"total": n}``, then a row a match: keyword to text, and ``uid`` of its level."""
    found = await node.archive.answer(parse(words, limit=limit, sort=sort))
    yield {"total": found.total}
    for match, texts in zip(found.matches, rows(found), strict=True):
        yield {"uid": match.sop_instance_uid or match.series_uid or match.study_uid, "row": texts}


async def import_(node: Node, *, paths: list[str]) -> Items:
    """Bad files as they are met, counts now and then, counts at the end."""
    async with aclosing(importing.import_paths(node.archive, [Path(path) for path in paths])) as items:
        async for item in items:
            yield msgspec.to_builtins(item)


async def export(node: Node, *, words: list[str], folder: str) -> Items:
    """Counts now and then, and at the end; lost objects by their UID."""
    async with aclosing(exporting.export(node.archive, parse(words), Path(folder))) as items:
        async for item in items:
            yield msgspec.to_builtins(item)


async def verify(node: Node, *, deep: bool) -> Items:
    """Each finding, then their number."""
    count = damaged = 0
    async for finding in node.archive.verify(deep=deep):
        count += 1
        damaged += finding.is_damage
        yield {"kind": finding.kind, "key": finding.key, "sentence": finding.sentence, "damage": finding.is_damage}
    yield {"findings": count, "damaged": damaged}


async def reindex(node: Node) -> Items:
    """Records folded."""
    yield {"records": await node.archive.reindex()}


async def status(node: Node) -> Items:
    """Figures of the node."""
    yield msgspec.to_builtins(await node.archive.status())


async def aet_add(node: Node, *, ae_title: str, host: str, port: int) -> Items:
    """The peer as it is known from now on."""
    try:
        checked = PeerSettings(ae_title=ae_title, host=host, port=port)
    except ValueError as error:
        raise Invalid(str(error)) from error
    node.peers.add(Peer(checked.ae_title, checked.host, checked.port))
    yield {"ae_title": checked.ae_title.strip(), "host": host, "port": port}


async def aet_ls(node: Node) -> Items:
    """Every known peer."""
    for peer in node.peers.all():
        origin = "configuration" if node.peers.is_configured(peer.ae_title) else "added"
        yield {"ae_title": peer.ae_title, "host": peer.host, "port": peer.port, "origin": origin}


async def aet_rm(node: Node, *, ae_title: str) -> Items:
    """The title that is forgotten."""
    node.peers.remove(ae_title)
    yield {"ae_title": ae_title.strip()}


async def aet_test(node: Node, *, ae_title: str) -> Items:
    """Whether the peer answered a C-ECHO, and if not, why."""
    peer = node.peers.lookup(ae_title)
    if peer is None:
        raise Invalid(f"no peer is called {ae_title.strip()!r}: filmroom aet add {ae_title.strip()} HOST:PORT")
    answered, reason = True, ""
    try:
        status = await dimse.echo(peer, dimse_settings(node.settings))
        answered, reason = status == 0, "" if status == 0 else f"status {status:04X}"
    except Exception as error:  # noqa: BLE001 - whatever keeps the peer from answering is the answer
        answered, reason = False, str(error) or type(error).__name__
    yield {"ae_title": peer.ae_title, "host": peer.host, "port": peer.port, "answered": answered, "reason": reason}


OPERATIONS: dict[str, Callable[..., Items]] = {
    "find": find,
    "import": import_,
    "export": export,
    "verify": verify,
    "reindex": reindex,
    "status": status,
    "aet add": aet_add,
    "aet ls": aet_ls,
    "aet rm": aet_rm,
    "aet test": aet_test,
}


def answer(node: Node) -> Callable[[str, dict[str, Any]], Items]:
    """What the control socket of this node answers. Raises Invalid for what it does not know."""

    async def run(do: str, parameters: dict[str, Any]) -> Items:
        operation = OPERATIONS.get(do)
        if operation is None:
            raise Invalid(f"this node does not know {do[:32]!r}: is it an older version?")
        async with aclosing(operation(node, **parameters)) as items:
            async for item in items:
                yield item

    return run
