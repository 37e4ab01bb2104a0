"""C-FIND as SCP, Study Root and Patient Root (PS3.4 C.4.1)."""

import logging

import msgspec

from engine.errors import FilmroomError, Invalid, Unavailable
from engine.model import Found, Match
from native import dataset
from protocols import query
from protocols.character_sets import in_character_set, needs_character_set
from protocols.dimse import classes, commands
from protocols.dimse.exchange import Exchange
from protocols.dimse.extended import Options
from protocols.dimse.site import Site
from protocols.dimse.status import Status

log = logging.getLogger("filmroom.dimse")

CHARACTER_SET_PATH = f"{query.CHARACTER_SET:08X}"


async def answer(exchange: Exchange, site: Site, agreed: Options) -> None:
    """Pending responses, many in a send, then the final one. C-CANCEL is looked for before each send, and what is not
    sent by then is not sent (FE00)."""
    root: query.Root = "patient" if exchange.request.sop_class_uid in classes.PATIENT_ROOT else "study"
    peer = site.peers.lookup(exchange.calling_ae_title)
    character_set = peer.character_set if peer else ""
    try:
        asked = query.find_identifier(
            exchange.identifier,
            exchange.transfer_syntax_uid,
            root,
            limit=site.settings.find_page_count,
            options=query.QueryOptions(*msgspec.structs.astuple(agreed)),
            character_set=character_set,
        )
        status = await _answer_rows(exchange, site, asked, character_set)
        exchange.respond(status)
    except (query.Refused, Invalid) as error:
        exchange.refuse(Status.IDENTIFIER_MISMATCH, str(error))
    except Unavailable as error:
        exchange.refuse(Status.OUT_OF_RESOURCES, str(error))
    except FilmroomError as error:
        log.error("query failed", extra={"error": type(error).__name__})
        exchange.respond(Status.UNABLE_TO_PROCESS, comment="the query could not be answered")
    await exchange.flush()


async def _answer_rows(exchange: Exchange, site: Site, asked: query.Identifier, character_set: str) -> Status:
    pending = Status.PENDING_UNSUPPORTED_KEYS if asked.unsupported else Status.PENDING
    command = commands.response(exchange.request, pending, has_dataset=True)
    implicit = exchange.transfer_syntax_uid == classes.IMPLICIT_LITTLE
    row = Row(asked, site.settings.ae_title, implicit=implicit, character_set=character_set)
    question = asked.query

    def written(found: Found) -> tuple[list[bytes], str]:
        """Runs in the thread that found the rows."""
        return list(exchange.sends(command, map(row.identifier, found.matches))), found.next_page

    while True:
        sends, next_page = await site.archive.shaped(question, written)
        for data in sends:
            if await exchange.is_over():
                exchange.forget()
                return Status.CANCELLED
            if exchange.queue(data):
                await exchange.flush()
        if not next_page:
            return Status.SUCCESS
        await exchange.flush()
        question = msgspec.structs.replace(question, page=next_page)


class Row:
    """Makes response identifiers: the keys asked for, and what every response says (PS3.4 C.4.1.1.3.2).

    ``character_set``: what the peer is known to understand; empty: as it is stored.
    """

    def __init__(self, asked: query.Identifier, ae_title: str, *, implicit: bool, character_set: str = "") -> None:
        always = (query.LEVEL, query.RETRIEVE_AE_TITLE, query.AVAILABILITY)
        self._tags = tuple(sorted({*asked.tags, *always}))
        self._tags_with_character_set = tuple(sorted({*self._tags, query.CHARACTER_SET}))
        self._implicit = implicit
        self._character_set = character_set
        self._extra = b"".join(
            (
                dataset.element(query.LEVEL, "CS", asked.level_name.encode("ascii")),
                dataset.element(query.RETRIEVE_AE_TITLE, "AE", ae_title.strip().encode("ascii")),
                dataset.element(query.AVAILABILITY, "CS", b"ONLINE"),
            )
        )

    def identifier(self, match: Match) -> bytes:
        """Specific Character Set goes along when a value may need it."""
        projected = dataset.project(match.header, self._tags, self._implicit, self._extra)
        if not needs_character_set(projected):
            return projected
        if self._character_set:
            whole = dataset.project(match.header, self._tags_with_character_set, False, self._extra)
            whole = in_character_set(whole, self._character_set)
            return dataset.project(whole, self._tags_with_character_set, True) if self._implicit else whole
        if not dataset.get(match.header, CHARACTER_SET_PATH):
            return projected
        return dataset.project(match.header, self._tags_with_character_set, self._implicit, self._extra)
