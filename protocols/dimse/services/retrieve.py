"""C-MOVE as SCP, Study Root and Patient Root (PS3.4 C.4.2): sends instances over associations of our own."""

import logging
import shlex
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from engine.errors import FilmroomError
from engine.model import Instance
from engine.ports import Peer
from protocols.dimse import classes
from protocols.dimse.exchange import Exchange
from protocols.dimse.negotiation import CONTEXTS_MAX
from protocols.dimse.requestor import NotAssociated, Requestor, associate
from protocols.dimse.services import suboperations
from protocols.dimse.services.suboperations import Pair, Retrieval
from protocols.dimse.site import Site
from protocols.dimse.status import Status
from protocols.dimse.titles import title_of
from protocols.transcode import Codecs, ways

log = logging.getLogger("filmroom.dimse")


async def answer(exchange: Exchange, site: Site) -> None:
    """Pending responses with counters (C15), then the final one."""
    peer = site.peers.lookup(exchange.request.move_destination)
    if peer is None:
        _log_unknown_destination(exchange, site.settings.store_flag)
        exchange.respond(Status.MOVE_DESTINATION_UNKNOWN, comment="move destination is not a known peer")
        await exchange.flush()
    else:
        await suboperations.answer(exchange, site, peer.ae_title, Move(site, peer).carry)


def _log_unknown_destination(exchange: Exchange, store_flag: str) -> None:
    title = title_of(exchange.request.move_destination.encode("ascii", "replace")[:16].ljust(16)) or "AET"
    allow = f"filmroom aet add {shlex.quote(title)} HOST:PORT{store_flag}"
    log.warning(
        f"move destination {title} is not a known peer; to allow it: {allow}",
        extra={"calling": exchange.calling_ae_title, "destination": title},
    )


class Move:
    """The associations that carry one retrieval to its destination."""

    def __init__(self, site: Site, peer: Peer) -> None:
        self._site = site
        self._peer = peer

    def _associate(self, pairs: Sequence[Pair]) -> AbstractAsyncContextManager[Requestor]:
        settings = self._site.settings
        return associate(self._peer, settings, pairs, self._site.interrupts, window=settings.store_window_max)

    async def carry(self, retrieval: Retrieval) -> None:
        """Send everything, over as many associations in turn as its classes and syntaxes need.

        A large object that is found damaged when most of it is sent costs its association: the rest gets another.
        """
        for pairs, part in _parts(retrieval.instances, self._site.transcoder.codecs):
            unsound_count = -1
            while retrieval.unsound_count > unsound_count and (rest := retrieval.rest(part)):
                unsound_count = retrieval.unsound_count
                await self._carry_over_one(retrieval, pairs, rest)
            retrieval.fail_rest(part)

    async def _carry_over_one(self, retrieval: Retrieval, pairs: Sequence[Pair], part: Sequence[Instance]) -> None:
        try:
            async with self._associate(pairs) as requestor:
                await retrieval.send(requestor, part)
                if requestor.lost:
                    raise NotAssociated(requestor.lost)
        except (NotAssociated, FilmroomError) as error:
            log.warning(
                f"sending failed: {error}",
                extra={"destination": self._peer.ae_title, "host": self._peer.host, "port": self._peer.port},
            )


def _parts(instances: Sequence[Instance], codecs: Codecs) -> list[tuple[list[Pair], list[Instance]]]:
    """Stretches that one association can carry: at most 128 pairs of class and syntax each, in order.

    The stored syntax is proposed, and beside it those that every peer takes, when they can be made of it.
    """
    part_of: dict[Pair, int] = {}
    parts: list[tuple[dict[Pair, None], list[Instance]]] = []
    for instance in instances:
        stored = (instance.sop_class_uid, instance.transfer_syntax_uid)
        if stored not in part_of:
            needed = dict.fromkeys((stored[0], syntax) for syntax in _proposed(stored[1], codecs))
            if not parts or len(parts[-1][0] | needed) > CONTEXTS_MAX:
                parts.append(({}, []))
            parts[-1][0].update(needed)
            part_of[stored] = len(parts) - 1
        parts[part_of[stored]][1].append(instance)
    return [(list(pairs), part) for pairs, part in parts]


def _proposed(stored: str, codecs: Codecs) -> list[str]:
    made = (way.transfer_syntax_uid for way in ways(stored, codecs))
    return [syntax for syntax in made if syntax == stored or syntax in classes.SERVICE_SYNTAXES]
