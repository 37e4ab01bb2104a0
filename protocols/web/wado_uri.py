"""Retrieve one object by the query alone (WADO-URI, PS3.18 9): told to WADO-RS in its own words.

The query decides; viewers send whatever Accept header they send to others (O13).
"""

import re
from typing import Final

import msgspec

from engine.model import Key, Level, Query
from protocols.web import objects, syntax_types
from protocols.web.media_types import media_types_of
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.routing import Parameter
from protocols.web.site import Site

GIVES: Final = (syntax_types.DICOM,)
PARAMETERS: Final = (
    Parameter("requestType", "WADO"),
    Parameter("studyUID", "the study; may be left out"),
    Parameter("seriesUID", "the series; may be left out"),
    Parameter("objectUID", "the SOP instance"),
    Parameter("contentType", f"{syntax_types.DICOM}, or nothing"),
    Parameter("transferSyntax", "a UID; *: as it is stored"),
)
CONTENT_TYPES_MAX: Final = 16
_KEYS: Final = (("studyUID", "0020000D"), ("seriesUID", "0020000E"), ("objectUID", "00080018"))
_UID: Final = re.compile(r"[0-9.]{1,64}")
# What changes the object must not be passed over: who asks for less than the whole gets it, or nothing.
_REFUSED: Final = ("anonymize", "annotation", "presentationUID", "presentationSeriesUID", "region")


async def retrieve(request: Request, site: Site) -> Reply:
    """The object, as one part."""
    if _one(request, "requestType") != "WADO":
        raise Problem(400, "requestType must be WADO")
    for name in _REFUSED:
        if request.values(name):
            raise Problem(400, f"{name} is not supported")
    _check_content_type(_one(request, "contentType"))
    named = await _named(request, site)
    syntax = _one(request, "transferSyntax")
    if syntax and syntax != "*" and not _UID.fullmatch(syntax):
        raise Problem(400, "transferSyntax is no UID")
    wanted = f"{syntax_types.DICOM}; transfer-syntax={syntax}" if syntax else syntax_types.DICOM
    return await objects.retrieve(msgspec.structs.replace(request, parameters=named, query=(("accept", wanted),)), site)


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
    found = await site.archive.instances(Query(level=Level.INSTANCE, keys=tuple(keys)))
    if not found:
        raise Problem(404, "there is no such thing here")
    return {"study": found[0].study_uid, "series": found[0].series_uid, "instance": found[0].sop_instance_uid}


def _check_content_type(said: str) -> None:
    names = [one.name for one in media_types_of(said, CONTENT_TYPES_MAX)]
    if said and not {syntax_types.DICOM, "application/*", "*/*"}.intersection(names):
        raise Problem(406, f"objects are given as {syntax_types.DICOM}")


def _one(request: Request, name: str) -> str:
    values = request.values(name)
    if len(values) > 1:
        raise Problem(400, f"{name} is there more than once")
    return values[0].strip() if values else ""
