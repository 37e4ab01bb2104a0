"""What a node does for its web side, beside the archive: known peers, and work that goes on behind a request."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engine import Missing, Query
from engine.ports import Peer
from filmroom import operations, sending
from filmroom.compose import Node
from filmroom.exits import Unreachable
from protocols import web


class NodeHousehold:
    """Implements ``protocols.web.Household``."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def peers(self) -> Sequence[web.KnownPeer]:
        """By AE title."""
        return [self._told(peer) for peer in self._node.peers.all()]

    async def add_peer(self, said: dict[str, Any]) -> web.KnownPeer:
        """Known from now on, durably. Raises Invalid. In this loop: one change at a time."""
        peer = operations.sound_peer(said, "the peer")
        self._node.peers.add(peer)
        return self._told(peer)

    async def remove_peer(self, ae_title: str) -> None:
        """Raises Missing, Invalid for one of the configuration."""
        self._node.peers.remove(ae_title)

    async def echo(self, ae_title: str) -> web.Echoed:
        """C-ECHO to a known peer. Raises Missing."""
        return web.Echoed(*await operations.echo(self._node, self._known(ae_title)))

    async def send(self, query: Query, ae_title: str, tell: web.Tell) -> None:
        """Every instance below what matches, to a known peer. Raises Missing, Refused."""
        peer = self._known(ae_title)
        try:
            await sending.send(self._node.outbound, self._node.archive, query, peer, operations.teller(tell))
        except Unreachable as error:
            raise web.Refused(str(error)) from error

    async def verify(self, deep: bool, tell: web.Tell) -> None:
        """Re-read what is kept."""
        await operations.verify(self._node, tell, deep=deep)

    async def reindex(self, tell: web.Tell) -> None:
        """Build the index anew."""
        await operations.reindex(self._node, tell)

    async def status(self) -> dict[str, Any]:
        """Figures."""
        figures: dict[str, Any] = {}

        async def hear(item: dict[str, Any]) -> None:
            figures.update(item)

        await operations.status(self._node, hear)
        return figures

    def _known(self, ae_title: str) -> Peer:
        peer = self._node.peers.lookup(ae_title)
        if peer is None:
            raise Missing("no peer has this AE title")
        return peer

    def _told(self, peer: Peer) -> web.KnownPeer:
        origin = "configuration" if self._node.peers.is_configured(peer.ae_title) else "added"
        return web.KnownPeer(**msgspec.structs.asdict(peer), origin=origin)
