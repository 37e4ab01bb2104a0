"""C-MOVE as SCP, Study Root and Patient Root (PS3.4 C.4.2): sends instances over associations of our own."""

import logging
import shlex

from protocols.dimse.delivery import Delivery
from protocols.dimse.exchange import Exchange
from protocols.dimse.extended import Options
from protocols.dimse.services import suboperations
from protocols.dimse.site import Site
from protocols.dimse.status import Status
from protocols.dimse.titles import title_of

log = logging.getLogger("filmroom.dimse")


async def answer(exchange: Exchange, site: Site, agreed: Options) -> None:
    """Pending responses with counters (C15), then the final one."""
    peer = site.peers.lookup(exchange.request.move_destination)
    if peer is None:
        _log_unknown_destination(exchange, site.settings.store_flag)
        exchange.respond(Status.MOVE_DESTINATION_UNKNOWN, comment="move destination is not a known peer")
        await exchange.flush()
    else:
        await suboperations.answer(exchange, site, agreed, peer.ae_title, Delivery(site.outbound, peer).carry)


def _log_unknown_destination(exchange: Exchange, store_flag: str) -> None:
    title = title_of(exchange.request.move_destination.encode("ascii", "replace")[:16].ljust(16)) or "AET"
    allow = f"filmroom aet add {shlex.quote(title)} HOST:PORT{store_flag}"
    log.warning(
        f"move destination {title} is not a known peer; to allow it: {allow}",
        extra={"calling": exchange.calling_ae_title, "destination": title},
    )
