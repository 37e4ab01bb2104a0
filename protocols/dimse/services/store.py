"""C-STORE as SCP: the policies; ``native.wire`` does the work (PS3.4 B.2)."""

import logging

from engine.model import Origin
from native import dataset, wire
from protocols.dimse.negotiation import Accepted
from protocols.dimse.site import Site
from protocols.dimse.status import name_of

log = logging.getLogger("filmroom.dimse")


def receiver_for(accepted: Accepted, site: Site, address: str) -> wire.Receiver:
    """The receiver of one association, with a lane into the archive when it may store."""
    stores = any(is_storage for _, _, is_storage in accepted.contexts.values())
    origin = Origin(
        how="dimse",
        calling_ae_title=accepted.calling_ae_title,
        called_ae_title=accepted.called_ae_title,
        peer=address,
    )
    return wire.Receiver(
        accepted.contexts,
        site.archive.lane(origin) if stores else None,
        pdu_bytes_max=site.settings.pdu_bytes_max,
        command_bytes_max=site.settings.command_bytes_max,
        dataset_bytes_max=site.settings.identifier_bytes_max,
    )


def log_refusals(receiver: wire.Receiver, association: int, calling_ae_title: str) -> None:
    """One line a kind of refusal since the last call: how often, with which status, why."""
    for status, code, count in receiver.refused:
        log.warning(
            "instances refused",
            extra={
                "association": association,
                "calling": calling_ae_title,
                "count": count,
                "status": f"{status:04X}",
                "status_name": name_of(status),
                "reason": dataset.REASONS.get(code, ""),
            },
        )
