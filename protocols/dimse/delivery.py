"""Associations of our own that carry a sending to a known peer: C-STORE as SCU (PS3.4 B)."""

import logging
from collections.abc import Sequence

from engine.errors import FilmroomError
from engine.model import Instance
from engine.ports import Peer
from protocols.dimse import classes
from protocols.dimse.beginning import Beginning
from protocols.dimse.connecting import NotAssociated
from protocols.dimse.negotiation import CONTEXTS_MAX
from protocols.dimse.outbound import Outbound
from protocols.dimse.requestor import associate
from protocols.dimse.sending import Pair, Sending
from protocols.transcode import Codecs, ways

log = logging.getLogger("filmroom.dimse")

Part = tuple[list[Pair], list[Instance]]


class Delivery:
    """To one peer. ``reached``: an association was established; ``trouble``: why the last one was not, or broke."""

    def __init__(self, outbound: Outbound, peer: Peer) -> None:
        self.reached = False
        self.trouble = ""
        self._outbound = outbound
        self._peer = peer

    async def carry(self, sending: Sending) -> None:
        """Send everything, over as many associations in turn as its classes and syntaxes need.

        A large object that is found damaged when most of it is sent costs its association: the rest gets another.
        """
        for pairs, part in parts_of(sending.instances, self._outbound.transcoder.codecs):
            unsound_count = -1
            while sending.tally.unsound_count > unsound_count and (rest := sending.rest(part)):
                unsound_count = sending.tally.unsound_count
                await self._carry_over_one(sending, pairs, rest)
            sending.fail_rest(part, self.trouble)

    async def _carry_over_one(self, sending: Sending, pairs: Sequence[Pair], part: Sequence[Instance]) -> None:
        outbound = self._outbound
        try:
            async with sending.opened(part) as windows:
                start = Beginning(sending, part, windows)
                async with associate(
                    self._peer,
                    outbound.settings,
                    pairs,
                    outbound.interrupts,
                    window=outbound.settings.store_window_max,
                    start=start,
                ) as requestor:
                    self.reached = True
                    await start.go_on(requestor)
                    if requestor.lost:
                        raise NotAssociated(requestor.lost)
        except (NotAssociated, FilmroomError) as error:
            self.trouble = str(error)
            log.warning(
                f"sending failed: {error}",
                extra={"destination": self._peer.ae_title, "host": self._peer.host, "port": self._peer.port},
            )


def parts_of(instances: Sequence[Instance], codecs: Codecs) -> list[Part]:
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
