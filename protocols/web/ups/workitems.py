"""Workitems: create, retrieve, update, change state, request cancellation, search (PS3.18 11.4 to 11.9)."""

import logging
from typing import Final

from engine.model import Level
from engine.worklist import RETURNED, Answer, Matched, State, checked_ae_title
from native import dataset, dicomjson
from native.layout import RowLayout
from protocols.query_parameters import Search, search_of
from protocols.query_values import Refused
from protocols.web import links
from protocols.web.forms import accept, native_xml
from protocols.web.forms.conditional import representation
from protocols.web.messages import Headers, Reply, Request
from protocols.web.problems import Problem
from protocols.web.qido.searching import GIVES, OFFERS
from protocols.web.routing import Parameter
from protocols.web.site import Site
from protocols.web.ups import answers, asked

log = logging.getLogger("filmroom.web")

NEW_UID: Final = Parameter("workitem", "its UID, which may also stand in the query alone, or in the body")
TRANSACTION: Final = Parameter("transaction-uid", "of the claim; it may also stand in the query alone, or in the body")
REQUESTER: Final = Parameter("requester", "the AE title of who asks")
UNNAMED: Final = "UNKNOWN"  # requests over the web name no AE by themselves
STATE, INSTANCE_UID, TRANSACTION_UID = "00741000", "00080018", "00081195"


async def create(request: Request, site: Site) -> Reply:
    """A new workitem (11.4): 201 with its place."""
    uid = asked.uid_of(request, NEW_UID.name, "AffectedSOPInstanceUID")
    data = await asked.data_of(request)
    uid = uid or _text(data, INSTANCE_UID)
    if not uid:
        raise Problem(400, "the workitem's UID stands neither in the query nor in the body")
    answer = await site.archive.worklist(lambda worklist: worklist.create(uid, data))
    _note(request, "create", answer)
    place = f"{links.dicomweb_url(request, site.settings)}/workitems/{uid}"
    headers = (("Location", place), ("Content-Location", place))
    return answers.reply(answer, answers.CREATE, request, site.settings, headers)


async def retrieve(request: Request, site: Site) -> Reply:
    """The workitem as it is now (11.5)."""
    offer = _offer(request)
    asked.only(request)
    uid = request.parameters["workitem"]
    data = await site.archive.worklist(lambda worklist: worklist.retrieve(uid))
    if offer.media_type != native_xml.MEDIA_TYPE:
        content_type, body = offer.media_type, b"[" + dicomjson.header_json(data) + b"]"
    elif offer.is_multipart:
        content_type, body = native_xml.parts([dicomjson.header_json(data)])
    else:
        content_type, body = offer.media_type, native_xml.document(dicomjson.header_json(data))
    return representation(request, content_type, body, (), site.settings.gzip_bytes_min)


async def update(request: Request, site: Site) -> Reply:
    """Other values of some attributes (11.6)."""
    said = asked.uid_of(request, TRANSACTION.name, "transactionUID", "transactionuid")
    change = await asked.data_of(request)
    inner = _text(change, TRANSACTION_UID)
    if said and inner and said != inner:
        raise Problem(400, "the query names another Transaction UID than the body")
    uid, transaction = request.parameters["workitem"], said or inner
    answer = await site.archive.worklist(lambda worklist: worklist.update(uid, change, transaction))
    _note(request, "update", answer)
    why = answers.INCORRECT if transaction else answers.MISSING
    place = f"{links.dicomweb_url(request, site.settings)}/workitems/{uid}"
    return answers.reply(answer, answers.UPDATE, request, site.settings, (("Content-Location", place),), why)


async def change_state(request: Request, site: Site) -> Reply:
    """Claim it, complete it, cancel it (11.7)."""
    asked.only(request)
    change = await asked.data_of(request)
    try:
        wanted = State(_text(change, STATE))
    except ValueError:
        raise Problem(400, f"Procedure Step State (0074,1000) is one of {', '.join(State)}") from None
    uid, transaction = request.parameters["workitem"], _text(change, TRANSACTION_UID)
    if len(transaction) > 64 or (transaction and not asked.UID.fullmatch(transaction)):
        raise Problem(400, "the Transaction UID is no UID")
    answer = await site.archive.worklist(lambda worklist: worklist.change_state(uid, wanted, transaction))
    _note(request, "change state", answer)
    why = answers.INCORRECT if transaction else answers.MISSING
    return answers.reply(answer, answers.CHANGE_STATE, request, site.settings, why=why)


async def request_cancel(request: Request, site: Site) -> Reply:
    """Ask that it be canceled by who performs it; what nobody performs is (11.8)."""
    said = asked.only(request, (REQUESTER.name,))
    why = await asked.data_of(request, is_optional=True)
    uid, requester = request.parameters["workitem"], checked_ae_title(said.get(REQUESTER.name, UNNAMED))
    answer = await site.archive.worklist(lambda worklist: worklist.request_cancel(uid, why, requester))
    _note(request, "request cancel", answer)
    return answers.reply(answer, answers.REQUEST_CANCEL, request, site.settings)


async def search(request: Request, site: Site) -> Reply:
    """Workitems that match, the oldest first (11.9)."""
    offer = _offer(request)
    try:
        wanted = search_of(Level.INSTANCE, {}, request.query, site.settings.rows_count_max)
    except Refused as error:
        raise Problem(400, str(error)) from None
    root = links.dicomweb_url(request, site.settings)
    tags = None if wanted.included is None else RETURNED | wanted.included | _keyed(wanted)
    layout = RowLayout(tags, b"")

    def page(matched: Matched) -> Reply:
        models = [dicomjson.header_json(layout.row(row, b"")) for row in matched.rows]
        if offer.media_type == native_xml.MEDIA_TYPE:
            content_type, body = native_xml.parts(models)
        else:
            content_type, body = offer.media_type, b"[" + b",".join(models) + b"]"
        said = (("X-Total-Count", str(matched.total)), *_warnings(wanted, matched, root))
        return representation(request, content_type, body, said, site.settings.gzip_bytes_min)

    return await site.archive.worklist(lambda worklist: page(worklist.search(wanted.query)))


def _keyed(wanted: Search) -> frozenset[int]:
    """What was asked for is shown, too."""
    return frozenset(int(key.path[:8], 16) for key in wanted.query.keys if "," not in key.path[:8])


def _warnings(wanted: Search, matched: Matched, root: str) -> Headers:
    said = []
    left = matched.total - wanted.query.offset - len(matched.rows)
    if left > 0 and matched.rows:
        said.append(f"There are {left} additional results that can be requested")
    if wanted.passed_over:
        said.append(f"These are not supported here and count for nothing: {', '.join(wanted.passed_over)}")
    return tuple(("Warning", f'299 {root} "{one}"') for one in said)


def _offer(request: Request) -> accept.Offer:
    offer = accept.choose(OFFERS, request.accepts())
    if offer is None:
        raise Problem(406, f"workitems are given as {', '.join(GIVES)}")
    return offer


def _text(data: bytes, path: str) -> str:
    return (dataset.get(data, path) or b"").decode("latin-1").strip(" \0")


def _note(request: Request, what: str, answer: Answer) -> None:
    """Who asked for a change, and what became of it; not of whom."""
    log.info("worklist", extra={"request": what, "code": f"{answer.code:04X}", "peer": request.peer})
