"""Storage commitment, push model, as SCP (PS3.4 J.3): what N-ACTION asks, and the data set of N-EVENT-REPORT."""

import logging
import re
from collections.abc import Sequence

import msgspec

from engine.errors import FilmroomError, Unavailable
from engine.model import Reference
from native import dataset
from protocols.dimse import classes
from protocols.dimse.commands import Command
from protocols.dimse.exchange import Exchange
from protocols.dimse.reporting import Asker
from protocols.dimse.site import Site
from protocols.dimse.status import Status

log = logging.getLogger("filmroom.dimse")

REQUEST_COMMITMENT = 1  # Action Type ID (PS3.4 J.3.2.1.2)
TRANSACTION = "00081195"
REFERENCED_CLASS, REFERENCED_INSTANCE = "00081199.00081150", "00081199.00081155"
_UID = re.compile(r"[0-9.]{1,64}")


class Refused(ValueError):
    """The request cannot be taken; ``str`` fits Error Comment."""

    def __init__(self, status: Status, why: str) -> None:
        super().__init__(why)
        self.status = status


class Asked(msgspec.Struct, frozen=True):
    """What an N-ACTION asks for."""

    transaction_uid: str
    references: tuple[Reference, ...]


async def answer(exchange: Exchange, site: Site, asker: Asker) -> None:
    """Success once the request is on disk; the report follows, on this association while it is open."""
    try:
        asked = read(exchange.request, exchange.identifier, exchange.transfer_syntax_uid)
        request = await site.archive.commitments.open(
            exchange.calling_ae_title, asked.transaction_uid, asked.references
        )
    except Refused as error:
        exchange.respond(error.status, comment=str(error))
    except Unavailable as error:
        exchange.respond(Status.RESOURCE_LIMITATION, comment=str(error))
    except FilmroomError as error:
        log.error("request for commitment not kept", extra={"error": type(error).__name__})
        exchange.respond(Status.PROCESSING_FAILURE, comment="the request could not be kept")
    else:
        exchange.respond(Status.SUCCESS)
        site.reporter.take(request, asker, exchange.context_id)  # it is on disk, whatever becomes of the answer
    await exchange.flush()


def read(command: Command, identifier: bytes, transfer_syntax_uid: str) -> Asked:
    """Read an N-ACTION (PS3.4 J.3.2). Raises Refused."""
    if command.sop_instance_uid != classes.COMMITMENT_INSTANCE:
        raise Refused(Status.NO_SUCH_INSTANCE, "not the well-known instance of storage commitment")
    if command.type_id != REQUEST_COMMITMENT:
        raise Refused(Status.NO_SUCH_ACTION, "not the action that requests commitment")
    try:
        elements = dataset.walk(identifier, transfer_syntax_uid)
    except dataset.Malformed as error:
        raise Refused(Status.PROCESSING_FAILURE, "the action information is not a sound data set") from error
    uids = [
        (path, _uid(identifier[offset : offset + length]))
        for path, _, offset, length in elements
        if path in (TRANSACTION, REFERENCED_CLASS, REFERENCED_INSTANCE)
    ]
    transactions = [uid for path, uid in uids if path == TRANSACTION]
    if len(transactions) != 1:
        raise Refused(Status.INVALID_ARGUMENT, "no Transaction UID")
    return Asked(transactions[0], _references([(path, uid) for path, uid in uids if path != TRANSACTION]))


def _references(uids: Sequence[tuple[str, str]]) -> tuple[Reference, ...]:
    """Class and instance in turn, as the items of the sequence have them."""
    if not uids:
        raise Refused(Status.INVALID_ARGUMENT, "Referenced SOP Sequence is missing or empty")
    classes_named, instances_named = uids[::2], uids[1::2]
    sound = all(path == REFERENCED_CLASS for path, _ in classes_named) and all(
        path == REFERENCED_INSTANCE for path, _ in instances_named
    )
    if not sound or len(uids) % 2:
        raise Refused(Status.INVALID_ARGUMENT, "an item of Referenced SOP Sequence lacks a UID")
    return tuple(
        Reference(sop_class, instance)
        for (_, sop_class), (_, instance) in zip(classes_named, instances_named, strict=True)
    )


def _uid(value: bytes) -> str:
    uid = value.decode("ascii", "replace").strip(" \0")
    if not _UID.fullmatch(uid):
        raise Refused(Status.INVALID_ARGUMENT, "a value is not a UID")
    return uid
