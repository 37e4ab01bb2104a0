"""The change feed: what was stored and decided, in journal order, behind a cursor; as pages, or as server-sent events.

Who waits is woken when the journal has more, and costs senders nothing: nobody hurries for those who only watch.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import msgspec

from engine.model import Change
from protocols.web.forms import accept
from protocols.web.messages import Chunk, Reply, Request
from protocols.web.problems import Problem
from protocols.web.rest import forms
from protocols.web.routing import Parameter
from protocols.web.site import Site

EVENTS: Final = "text/event-stream"
GIVES: Final = (forms.JSON, EVENTS)
NOW: Final = "now"
COUNT_MAX: Final = 1000
TARGETS_COUNT_MAX: Final = 20_000  # instances of one page: a decision may name thousands
WAIT_SECONDS_MAX: Final = 60
HEARTBEAT_SECONDS: Final = 15.0
RETRY_MS: Final = 2000
PARAMETERS: Final = (
    Parameter("after", f"the cursor of the last change that is known; {NOW}: only what comes; empty: all"),
    Parameter("limit", f"how many to give at most ({forms.COUNT_DEFAULT} when it is not said; up to {COUNT_MAX})"),
    Parameter("wait", f"seconds to wait for a change when there is none, up to {WAIT_SECONDS_MAX}"),
)
_OFFERS: Final = tuple(map(accept.Offer, GIVES))


async def changes(request: Request, site: Site) -> Reply:
    """A page of changes, which may be waited for; or all of them as they come, as events."""
    forms.only(request, ("after", "limit", "wait", "accept"))
    offer = accept.choose(_OFFERS, request.accepts())
    if offer is None:
        raise Problem(406, f"changes are given as {', '.join(GIVES)}")
    limit = max(1, forms.whole(request, "limit", forms.COUNT_DEFAULT, COUNT_MAX))
    wait = forms.whole(request, "wait", 0, WAIT_SECONDS_MAX)
    after = (request.values("after") or [""])[-1]
    if offer.media_type == EVENTS:
        site.watchers.check()
        after = await _begin(site, request.header("last-event-id") or after)
        await site.archive.changes_page(after, 1)  # a cursor that is none is refused now
        headers = (("Content-Type", EVENTS), forms.NO_STORE, ("X-Accel-Buffering", "no"))
        return Reply(200, headers, events(site, after))
    after = await _begin(site, after)
    page = await _page(site, after, limit, wait)
    cursor = page[-1].cursor if page else after
    return forms.answer({"changes": [told(one) for one in page], "cursor": cursor})


def told(change: Change) -> dict[str, Any]:
    """A change as JSON: UIDs, no patient data."""
    return {
        "cursor": change.cursor,
        "kind": change.kind,
        "at": forms.shown(change.stamp),
        "study_uid": change.study_uid,
        "instances": [
            {"series_uid": one.series_uid, "sop_instance_uid": one.sop_instance_uid} for one in change.targets
        ],
    }


async def _begin(site: Site, after: str) -> str:
    return await site.archive.last_cursor() if after == NOW else after


async def _page(site: Site, after: str, limit: int, wait_seconds: float) -> Sequence[Change]:
    rings = site.archive.journalled.count
    page = await site.archive.changes_page(after, limit)
    if not page and wait_seconds and not site.watchers.shutdown.is_set():
        with site.watchers.place():
            await site.watchers.wake(rings, wait_seconds)
        page = await site.archive.changes_page(after, limit, catch_up=False)
    return bounded(page)


def bounded(page: Sequence[Change]) -> Sequence[Change]:
    """At least one change; no more than name so many instances."""
    count = 0
    for at, change in enumerate(page):
        count += len(change.targets)
        if at and count > TARGETS_COUNT_MAX:
            return page[:at]
    return page


async def events(site: Site, after: str) -> AsyncGenerator[Chunk, None]:
    """Until the client goes or the node ends. One page is held at a time: a slow reader is waited for, not gathered
    for, and one that takes nothing is cut."""
    with site.watchers.place():
        yield b"retry: %d\n\n" % RETRY_MS
        while not site.watchers.shutdown.is_set():
            rings = site.archive.journalled.count
            page = bounded(await site.archive.changes_page(after, forms.COUNT_DEFAULT, catch_up=False))
            if page:
                after = page[-1].cursor
                yield b"".join(map(_event, page))
                continue
            await site.watchers.wake(rings, HEARTBEAT_SECONDS)
            if site.archive.journalled.count == rings and not site.watchers.shutdown.is_set():
                yield b": still here\n\n"


def _event(change: Change) -> bytes:
    data = msgspec.json.encode(told(change))
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (change.cursor.encode(), change.kind.encode(), data)
