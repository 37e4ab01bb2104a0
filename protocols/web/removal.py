"""Delete studies, series and instances (PS3.18 does not say how; clients do): hidden, and restorable until the grace is
over."""

from typing import Final

from engine.model import Key, Level, Origin, Query
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.qido import attributes
from protocols.web.site import Site

_IN_PATH: Final = {
    "study": (Level.STUDY, attributes.STUDY_UID),
    "series": (Level.SERIES, attributes.SERIES_UID),
    "instance": (Level.INSTANCE, attributes.SOP_INSTANCE_UID),
}


async def delete(request: Request, site: Site) -> Reply:
    """204: all below what the path names is hidden. 404: there is nothing. 409: retention keeps it."""
    named = [(*_IN_PATH[name], uid) for name, uid in request.parameters.items()]
    query = Query(level=named[-1][0], keys=tuple(Key(f"{tag:08X}", (uid,)) for _, tag, uid in named))
    origin = Origin(how="command", peer=request.peer)
    decided = await site.archive.decide("delete", query, reason="asked for over the web", origin=origin)
    if not decided.instance_count:
        raise Problem(404, "there is no such thing here")
    return Reply(204)
