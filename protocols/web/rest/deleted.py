"""What was deleted, and its way back."""

from typing import Any, Final

import msgspec

from engine import texts_of
from engine.errors import Missing
from engine.model import Gone
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.rest import forms
from protocols.web.rest.studies import asked
from protocols.web.routing import Parameter
from protocols.web.site import Site

PARAMETERS: Final = (
    Parameter("{attribute}", "a DICOM keyword, 8 hex digits, or a dotted path of them: what must match"),
    forms.LIMIT,
    forms.OFFSET,
)


class Restoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: str = ""


async def deleted(request: Request, site: Site) -> Reply:
    """Studies of which something can be restored, the last deleted first, and until when."""
    return forms.answer(await page(request, site))


async def page(request: Request, site: Site) -> dict[str, Any]:
    """The same, before it is JSON. Raises Problem, Invalid."""
    if request.values("as_of") or request.values("sort"):
        raise Problem(400, "what is deleted is told as it is now, the last first")
    query = asked(request, site)
    found = await site.archive.deleted(msgspec.structs.replace(query, limit=None, offset=0))
    chosen = found[query.offset :][: query.limit]
    return {"total": len(found), "offset": query.offset, "deleted": [_told(one) for one in chosen]}


async def restore(request: Request, site: Site) -> Reply:
    """Bring back what was deleted of a study, a series or an instance; 404 when nothing of it can be."""
    forms.only(request)
    wanted = await forms.body_of(request, Restoring, default=Restoring())
    origin = forms.origin_of(request)
    decided = await site.archive.decide("restore", forms.named(request), reason=wanted.reason, origin=origin)
    if not decided.instance_count:
        raise Missing("nothing of it can be restored")
    return forms.answer({"instance_count": decided.instance_count})


def _told(one: Gone) -> dict[str, object]:
    return {
        "study_uid": one.study_uid,
        "attributes": texts_of(one.header),
        "series_count": one.series_count,
        "instance_count": one.instance_count,
        "size_bytes": one.size_bytes,
        "deleted": forms.shown(one.deleted_us),
        "restorable_until": forms.shown(one.until_us),
    }
