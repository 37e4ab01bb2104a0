"""Jobs: sending to a known peer, verifying, folding the index anew. They are kept in memory and end with the node."""

from typing import Any, Final, Literal

import msgspec

from engine import query_of
from engine.errors import Invalid
from engine.model import Level, Query
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.rest import forms
from protocols.web.rest.peers import household
from protocols.web.rest.working import Job, Work
from protocols.web.site import Site

LEVELS: Final = frozenset(("patient", "study", "series", "instance"))


class Sending(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="send"):
    """``query``: keyword to text or list of texts; ``level`` among them (study when it is not said)."""

    query: dict[str, str | list[str]]
    destination: str


class Verifying(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="verify"):
    """``deep``: read every byte."""

    deep: bool = True


class Reindexing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="reindex"):
    """Nothing more to say."""


Asked = Sending | Verifying | Reindexing


async def begin(request: Request, site: Site) -> Reply:
    """202, and where the job is told of. Only what the configuration or ``aet add`` named is connected to."""
    forms.only(request)
    asked: Asked = await forms.body_of(request, Asked)  # type: ignore[arg-type]
    do, destination, work = _work(asked, site)
    job = site.working.begin(do, destination, work)
    return forms.answer(_told(job), 202, (("Location", f"{forms.ROOT}/jobs/{job.name}"),))


async def jobs(request: Request, site: Site) -> Reply:
    """All that are remembered, the newest first."""
    forms.only(request)
    return forms.answer(remembered(site))


def remembered(site: Site) -> dict[str, Any]:
    """The same, before it is JSON."""
    return {"jobs": [_told(job) for job in site.working.all()]}


async def job(request: Request, site: Site) -> Reply:
    """One with its findings."""
    forms.only(request)
    one = site.working.find(request.parameters["job"])
    return forms.answer(_told(one) | {"findings": one.findings})


async def cancel(request: Request, site: Site) -> Reply:
    """Cancelled when it is still running; a peer keeps what it was sent."""
    forms.only(request)
    one = site.working.find(request.parameters["job"])
    one.scope.cancel()
    return forms.answer(_told(one), 202)


def _work(asked: Asked, site: Site) -> tuple[Literal["send", "verify", "reindex"], str, Work]:
    node = household(site)
    if isinstance(asked, Verifying):
        return "verify", "", lambda tell: node.verify(asked.deep, tell)
    if isinstance(asked, Reindexing):
        return "reindex", "", node.reindex
    title = asked.destination.strip()
    if title not in {peer.ae_title for peer in node.peers()}:
        raise Problem(400, "the destination is no known peer")
    query = _query(asked.query)
    return "send", title, lambda tell: node.send(query, title, tell)


def _query(said: dict[str, str | list[str]]) -> Query:
    """Raises Problem, also for a query that chooses nothing: everything is not sent by leaving out."""
    keys = dict(said)
    level = keys.pop("level", "study")
    if level not in LEVELS:
        raise Problem(400, "the level of a query is patient, study, series or instance")
    try:
        query = query_of(Level(str(level)), keys)
    except Invalid:
        raise Problem(400, "the query names attributes by DICOM keyword or 8 hex digits, each with a value") from None
    if not any(value.strip("* ") for key in query.keys for value in key.values):
        raise Problem(400, "name what is to be sent: at least one key with a value that chooses")
    return query


def _told(job: Job) -> dict[str, Any]:
    return {
        "id": job.name,
        "do": job.do,
        **({"destination": job.destination} if job.destination else {}),
        "state": job.state,
        "reason": job.reason,
        "began": forms.shown(job.began_us),
        "ended": forms.shown(job.ended_us),
        "counts": job.counts,
        "findings_count": job.findings_count,
    }
