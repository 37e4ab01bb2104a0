"""Studies with what they hold: counts, sizes, versions, conflicts; now, or as it was."""

from typing import Any, Final

import msgspec

from engine import path_of, row
from engine.errors import Missing
from engine.model import Found, Key, Level, Match, Query
from protocols.query_parameters import search_of
from protocols.query_values import Refused
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.rest import forms
from protocols.web.routing import Parameter
from protocols.web.site import Site

PARAMETERS: Final = (
    Parameter("{attribute}", "a DICOM keyword, 8 hex digits, or a dotted path of them: what must match"),
    Parameter("sort", "keywords, parted by commas, - before one for descending"),
    forms.AS_OF,
    forms.LIMIT,
    forms.OFFSET,
    Parameter("fuzzymatching", "true: names match by words that are nearly spelt or sound so"),
)
_OURS: Final = frozenset(("sort", "as_of", "includefield", "limit"))
_COUNTS: Final = {
    Level.STUDY: {"series_count": "NumberOfStudyRelatedSeries", "instance_count": "NumberOfStudyRelatedInstances"},
    Level.SERIES: {"instance_count": "NumberOfSeriesRelatedInstances"},
}


async def studies(request: Request, site: Site) -> Reply:
    """A page of studies, and how many match in all."""
    return forms.answer(await page(request, site))


async def page(request: Request, site: Site) -> dict[str, Any]:
    """The same, before it is JSON. Raises Problem, Invalid."""
    query = asked(request, site)
    return await site.continuations.answer(request, site.archive, query, lambda found: _page(found, query))


async def study(request: Request, site: Site) -> Reply:
    """One study with its series."""
    forms.only(request, ("as_of",))
    return forms.answer(await with_series(site, request.parameters["study"], forms.moment(request)))


async def with_series(site: Site, study_uid: str, as_of_us: int = 0) -> dict[str, Any]:
    """The same, before it is JSON. Raises Missing."""
    key = Key("0020000D", (study_uid,))
    one = await site.archive.shaped(Query(level=Level.STUDY, keys=(key,), as_of=as_of_us), _told)
    if not one:
        raise Missing("there is no such study")
    series = await site.archive.shaped(Query(level=Level.SERIES, keys=(key,), as_of=as_of_us), _told)
    above = one[0]["attributes"]
    for each in series:
        each["attributes"] = {name: value for name, value in each["attributes"].items() if name not in above}
    return one[0] | {"series": series}


def asked(request: Request, site: Site) -> Query:
    """The query that the parameters mean. Raises Problem, Invalid."""
    limit = str(forms.whole(request, "limit", forms.COUNT_DEFAULT, site.settings.rows_count_max))
    matching = [pair for pair in request.query if pair[0] not in _OURS]
    try:
        search = search_of(Level.STUDY, {}, [*matching, ("limit", limit)], site.settings.rows_count_max)
    except Refused as error:
        raise Problem(400, str(error)) from None
    if search.passed_over:
        raise Problem(
            400,
            "a parameter counts for nothing: what is never matched, or a way of matching that is not offered",
        )
    names = [name for value in request.values("sort") for name in value.split(",") if name]
    order = tuple("-" * name.startswith("-") + path_of(name.removeprefix("-")) for name in names)
    return msgspec.structs.replace(search.query, sort=order, as_of=forms.moment(request))


def _page(found: Found, query: Query) -> dict[str, Any]:
    """Runs in the thread that found the rows."""
    return {"total": found.total, "offset": query.offset, "studies": _told(found)}


def _told(found: Found) -> list[dict[str, Any]]:
    return [_one(match) for match in found.matches]


def _one(match: Match) -> dict[str, Any]:
    attributes = row(match)
    counts = {name: int(attributes.pop(keyword)) for name, keyword in _COUNTS[match.level].items()}
    uids = {"study_uid": match.study_uid} | ({"series_uid": match.series_uid} if match.series_uid else {})
    return {
        **uids,
        **counts,
        "size_bytes": match.sums.size_bytes,
        "several_versions_count": match.sums.several_count,
        "conflict_count": match.sums.elsewhere_count,
        "changed": forms.shown(match.sums.changed_us),
        "attributes": attributes,
    }
