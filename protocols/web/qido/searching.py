"""Search for studies, series and instances (QIDO-RS, PS3.18 10.6)."""

from functools import lru_cache
from typing import Final

import msgspec

from engine.model import Found, Key, Level, Match
from native import dataset, dicomjson
from native.layout import RowLayout
from protocols.query_parameters import Search, search_of
from protocols.query_values import Refused
from protocols.web import links, named
from protocols.web.forms import accept, native_xml
from protocols.web.forms.conditional import representation
from protocols.web.messages import Headers, Reply, Request
from protocols.web.problems import Problem
from protocols.web.qido import attributes
from protocols.web.routing import Parameter
from protocols.web.site import Site

GIVES: Final = ("application/dicom+json", "application/json", native_xml.MEDIA_TYPE)
# XML is parts always, for those too who ask for its media type alone.
OFFERS: Final = (*map(accept.Offer, GIVES), accept.Offer(native_xml.MEDIA_TYPE, is_multipart=True))
PARAMETERS: Final = (
    Parameter("{attribute}", "a DICOM keyword, 8 hex digits, or a dotted path of them: what must match"),
    Parameter("includefield", "attributes to return, parted by commas; all", is_repeated=True),
    Parameter("limit", "rows to return at most"),
    Parameter("offset", "rows to pass over"),
    Parameter("fuzzymatching", "true: names match by words that are nearly spelt or sound so"),
)


async def studies(request: Request, site: Site) -> Reply:
    """Search for studies."""
    return await _search(request, site, Level.STUDY)


async def series(request: Request, site: Site) -> Reply:
    """Search for series, of a study or of all."""
    return await _search(request, site, Level.SERIES)


async def instances(request: Request, site: Site) -> Reply:
    """Search for instances, of a series, a study, or of all."""
    return await _search(request, site, Level.INSTANCE)


async def _search(request: Request, site: Site, level: Level) -> Reply:
    offer = accept.choose(OFFERS, request.accepts())
    if offer is None:
        raise Problem(406, f"matches are given as {', '.join(GIVES)}")
    above = named.uids(request)
    try:
        search = search_of(level, above, request.query, site.settings.rows_count_max)
    except Refused as error:
        raise Problem(400, str(error)) from None
    rows = Rows(search, frozenset(above), links.dicomweb_url(request, site.settings))
    return await site.continuations.answer(
        request, site.archive, rows.query, lambda found: _page(found, rows, offer, request, site)
    )


def _page(found: Found, rows: "Rows", offer: accept.Offer, request: Request, site: Site) -> Reply:
    """Runs in the thread that found the rows."""
    models = [dicomjson.header_json(rows.header(match)) for match in found.matches]
    if offer.media_type == native_xml.MEDIA_TYPE:
        content_type, body = native_xml.parts(models)
    else:
        content_type, body = offer.media_type, b"[" + b",".join(models) + b"]"
    said = (("X-Total-Count", str(found.total)), *rows.warnings(found))
    return representation(request, content_type, body, said, site.settings.gzip_bytes_min)


class Rows:
    """The rows of one search as data sets: what the level always has, and what was asked for."""

    def __init__(self, search: Search, above: frozenset[int], root: str) -> None:
        level = search.query.level
        self._root = root
        self._level = level
        self._search = search
        self._layout, counted = _layout(level, above, search.included)
        said = {key.path for key in search.query.keys}
        asked = tuple(key for key in counted if key.path not in said)
        self.query = msgspec.structs.replace(search.query, keys=search.query.keys + asked)

    def header(self, match: Match) -> bytes:
        """One row, Explicit VR Little Endian, tags ascending."""
        return self._layout.row(match.header, self._own(match))

    def warnings(self, found: Found) -> Headers:
        """What the client should know (PS3.18 8.5.2)."""
        said = []
        left = found.total - self._search.query.offset - len(found.matches)
        if left > 0 and found.matches:
            said.append(f"There are {left} additional results that can be requested")
        if self._search.passed_over:
            said.append(f"These are not supported here and count for nothing: {', '.join(self._search.passed_over)}")
        return tuple(("Warning", f'299 {self._root} "{one}"') for one in said)

    def _own(self, match: Match) -> bytes:
        """What we say of a row, not its data set."""
        if self._level == Level.STUDY:
            url = links.study_url(self._root, match.study_uid)
        elif self._level == Level.SERIES:
            url = links.series_url(self._root, match.study_uid, match.series_uid)
        else:
            url = links.instance_url(self._root, match.study_uid, match.series_uid, match.sop_instance_uid)
        own = _ONLINE + dataset.element(attributes.RETRIEVE_URL, "UR", url.encode())
        instance = match.instance
        if instance is None:
            return own
        return own + dataset.element(attributes.AVAILABLE_TRANSFER_SYNTAX, "UI", instance.transfer_syntax_uid.encode())


_ONLINE: Final = dataset.element(attributes.AVAILABILITY, "CS", b"ONLINE")


@lru_cache(maxsize=64)
def _layout(level: Level, above: frozenset[int], included: frozenset[int] | None) -> tuple[RowLayout, tuple[Key, ...]]:
    """What rows hold, some of it always, if empty; and keys for what is counted."""
    always = attributes.always_at(level, attributes.STUDY_UID in above, attributes.SERIES_UID in above)
    wanted = None if included is None else always | attributes.OPTIONAL[level] | included
    counted = attributes.COUNTED if wanted is None else attributes.COUNTED & wanted
    return RowLayout(wanted, attributes.blanks(always)), tuple(Key(f"{tag:08X}") for tag in sorted(counted))
