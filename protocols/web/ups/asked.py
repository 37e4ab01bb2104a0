"""What requests about workitems say: data sets in JSON or XML, and what stands in the URL. Pure but for the body."""

import re
from collections.abc import Collection
from typing import Any, Final

import msgspec

from engine.model import Key, Level
from protocols.query_parameters import search_of
from protocols.query_values import Refused
from protocols.web.forms import native_xml
from protocols.web.forms.json_dataset import Unsound, pieces_of
from protocols.web.forms.media_types import media_type_of
from protocols.web.forms.xml_dataset import model_of
from protocols.web.messages import Request
from protocols.web.problems import Problem

TAKES: Final = ("application/dicom+json", "application/json", native_xml.MEDIA_TYPE)
BODY_BYTES_MAX: Final = 2 << 20  # a workitem as large as one may be, as text
UID: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_DECODER: Final = msgspec.json.Decoder(float_hook=str)  # decimal strings keep their digits
COMMON: Final = ("accept", "charset")  # parameters of every request (PS3.18 8.3.3)
_TRUTH: Final = {"true": True, "false": False}


async def data_of(request: Request, *, is_optional: bool = False) -> bytes:
    """The data set of the body, Explicit VR Little Endian in UTF-8. Raises Problem."""
    body = await request.body.read()
    if not body and is_optional:
        return b""
    found = media_type_of(request.header("content-type"))
    if found is None or found.name not in TAKES:
        raise Problem(415, f"a workitem comes as {', '.join(TAKES)}")
    try:
        model = model_of(body) if found.name == native_xml.MEDIA_TYPE else _only(_DECODER.decode(body))
        return b"".join(piece for piece in pieces_of(model, lambda uri: None) if isinstance(piece, bytes))
    except Unsound as error:
        raise Problem(400, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(400, "the body is no sound JSON") from None


def uid_of(request: Request, *names: str) -> str:
    """A UID in the query: alone, or under one of its names; empty when there is none. Raises Problem for anything else
    that stands there."""
    said = [pair for pair in request.query if pair[0] not in COMMON]
    found = {value if name in names else name for name, value in said if value or name not in names}
    if not found:
        return ""
    uid = found.pop()
    if found or len(uid) > 64 or not UID.fullmatch(uid):
        raise Problem(400, f"the query holds one UID, alone or as {names[0]}=")
    return uid


def only(request: Request, names: Collection[str] = ()) -> dict[str, str]:
    """The query, each name once. Raises Problem for another one."""
    names = {*names, *COMMON}
    if any(name not in names for name, _ in request.query) or len(dict(request.query)) < len(request.query):
        raise Problem(400, f"the query may have these parameters, each once: {', '.join(sorted(names))}")
    return dict(request.query)


def truth_of(text: str, name: str) -> bool:
    """Raises Problem."""
    if text.lower() not in _TRUTH:
        raise Problem(400, f"{name} is true or false")
    return _TRUTH[text.lower()]


def filter_of(text: str) -> tuple[Key, ...]:
    """Matching keys of a filtered subscription (PS3.18 11.10.1.2): pairs parted by commas. A part without ``=`` is one
    more value of the pair before. Raises Problem."""
    pairs: list[tuple[str, str]] = []
    for part in text.split(","):
        name, sign, value = part.partition("=")
        if sign:
            pairs.append((name, value))
        elif pairs:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]},{part}")
    try:
        query = search_of(Level.INSTANCE, {}, pairs, 0).query
    except Refused as error:
        raise Problem(400, f"the filter: {error}") from None
    keys = tuple(key for key in query.keys if key.values)
    if not keys:
        raise Problem(400, "filter is attribute=value, several parted by commas")
    return keys


def _only(said: Any) -> Any:
    """One data set, or a list of one. Raises Unsound."""
    if isinstance(said, list):
        if len(said) != 1:
            raise Unsound("the body holds more than one data set, or none")
        return said[0]
    return said
