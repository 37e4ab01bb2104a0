"""Versions of instances, and which of them is current."""

from typing import Any

import msgspec

from engine.model import Version
from protocols.web.messages import Reply, Request
from protocols.web.rest import forms
from protocols.web.site import Site


class Promotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which version becomes the current one: by its ``key``."""

    key: str
    reason: str = ""


async def versions(request: Request, site: Site) -> Reply:
    """Every instance of a study that has more than one version."""
    forms.only(request)
    return forms.answer(await of_study(site, request.parameters["study"]))


async def of_study(site: Site, study_uid: str) -> dict[str, Any]:
    """The same, before it is JSON."""
    said = [
        {
            "series_uid": one.series_uid,
            "sop_instance_uid": one.sop_instance_uid,
            "versions": [_told(version) for version in one.versions],
        }
        for one in await site.archive.several(study_uid)
    ]
    return {"study_uid": study_uid, "instances": said}


async def promote(request: Request, site: Site) -> Reply:
    """Make a version the current one; 404 when there is no such version."""
    forms.only(request)
    wanted = await forms.body_of(request, Promotion)
    place = (request.parameters["study"], request.parameters["series"], request.parameters["instance"])
    origin = forms.origin_of(request)
    await site.archive.promote(*place, wanted.key, reason=wanted.reason, origin=origin)
    return forms.answer({"key": wanted.key})


def _told(version: Version) -> dict[str, object]:
    return {
        "key": version.key,
        "size_bytes": version.size_bytes,
        "transfer_syntax_uid": version.transfer_syntax_uid,
        "stored": forms.shown(version.stamp),
        "is_current": version.is_current,
    }
