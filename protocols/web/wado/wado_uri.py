"""Retrieve one object by the query alone (WADO-URI, PS3.18 9): told to WADO-RS in its own words.

The query decides; viewers send whatever Accept header they send to others (O13).
"""

import re
from typing import Final

import msgspec

from engine.model import Key, Level, Query
from protocols.web.forms import accept, syntax_types
from protocols.web.forms.accept import Offer
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.routing import Parameter
from protocols.web.site import Site
from protocols.web.wado import objects, rendered
from protocols.web.wado.rendering import SIZE_MAX

GIVES: Final = (syntax_types.DICOM, *rendered.GIVES)
PARAMETERS: Final = (
    Parameter("requestType", "WADO"),
    Parameter("studyUID", "the study; may be left out"),
    Parameter("seriesUID", "the series; may be left out"),
    Parameter("objectUID", "the SOP instance"),
    Parameter("contentType", f"{', '.join(GIVES)}; nothing: {syntax_types.DICOM}"),
    Parameter("transferSyntax", "of the object, a UID; *: as it is stored"),
    Parameter("rows", "of an image, at most"),
    Parameter("columns", "of an image, at most"),
    Parameter("windowCenter", "of an image, with windowWidth"),
    Parameter("windowWidth", "of an image, with windowCenter"),
    Parameter("imageQuality", "of JPEG, 1 to 100"),
    Parameter("frameNumber", "which frame the image shows"),
)
_KEYS: Final = (("studyUID", "0020000D"), ("seriesUID", "0020000E"), ("objectUID", "00080018"))
_UID: Final = re.compile(r"[0-9.]{1,64}")
# What changes the object must not be passed over: who asks for less than the whole gets it, or nothing.
_REFUSED: Final = ("anonymize", "annotation", "presentationUID", "presentationSeriesUID", "region")


async def retrieve(request: Request, site: Site) -> Reply:
    """The object, or an image of it to look at."""
    if _one(request, "requestType") != "WADO":
        raise Problem(400, "requestType must be WADO")
    for name in _REFUSED:
        if request.values(name):
            raise Problem(400, f"{name} is not supported")
    content = _one(request, "contentType")
    offer = accept.choose([Offer(name) for name in GIVES], [content or syntax_types.DICOM])
    if offer is None:
        raise Problem(406, f"contentType is one of {', '.join(GIVES)}")
    named = await _named(request, site)
    if offer.media_type != syntax_types.DICOM:
        return await rendered.retrieve(_of_image(request, named, offer.media_type), site)
    syntax = _one(request, "transferSyntax")
    if syntax and syntax != "*" and not _UID.fullmatch(syntax):
        raise Problem(400, "transferSyntax is no UID")
    wanted = f"{syntax_types.DICOM}; transfer-syntax={syntax}" if syntax else syntax_types.DICOM
    return await objects.retrieve(msgspec.structs.replace(request, parameters=named, query=(("accept", wanted),)), site)


def _of_image(request: Request, named: dict[str, str], media_type: str) -> Request:
    """The same in the words of WADO-RS (PS3.18 9.5, 8.3.5). Raises Problem."""
    rows, columns = _one(request, "rows"), _one(request, "columns")
    window = (_one(request, "windowCenter"), _one(request, "windowWidth"))
    if any(window) and not all(window):
        raise Problem(400, "windowCenter and windowWidth belong together")
    query = [("accept", media_type), ("quality", _one(request, "imageQuality"))]
    query.append(("window", ",".join(filter(None, window))))
    if rows or columns:
        query.append(("viewport", f"{columns or SIZE_MAX},{rows or SIZE_MAX}"))
    frame = _one(request, "frameNumber")
    if "," in frame:
        raise Problem(400, "frameNumber is one number")
    parameters = named | ({"frames": frame} if frame else {})
    return msgspec.structs.replace(request, parameters=parameters, query=tuple(query))


async def _named(request: Request, site: Site) -> dict[str, str]:
    """The parameters that its path has in WADO-RS. Several instances under one UID: the first in series order."""
    keys = []
    for name, path in _KEYS:
        uid = _one(request, name)
        if uid and not _UID.fullmatch(uid):
            raise Problem(400, f"{name} is no UID")
        if uid:
            keys.append(Key(path, (uid,)))
    if not keys or keys[-1].path != _KEYS[-1][1]:
        raise Problem(400, "objectUID is missing")
    if len(keys) == len(_KEYS):
        return dict(zip(("study", "series", "instance"), (key.values[0] for key in keys), strict=True))
    found = await site.archive.instances(Query(level=Level.INSTANCE, keys=tuple(keys)))
    if not found:
        raise Problem(404, "there is no such thing here")
    return {"study": found[0].study_uid, "series": found[0].series_uid, "instance": found[0].sop_instance_uid}


def _one(request: Request, name: str) -> str:
    values = request.values(name)
    if len(values) > 1:
        raise Problem(400, f"{name} is there more than once")
    return values[0].strip() if values else ""
