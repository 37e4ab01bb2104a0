"""The page at ``/``: what an archive holds, and what may be done with it, for people.

It is made here, on the node, of what ``/api/v1`` answers: nothing is shown that a client could not ask for. Where
requests need a token, ``/`` holds none of it (a browser shows no token when it goes to a page): the page asks for one,
keeps it in its tab, and fetches its parts with it. Elsewhere all can be read without scripts.

**What changes something goes past this module**: scripts of the page ask DICOMweb and REST for it (DELETE, or POST of
``application/json`` or ``application/dicom``, as any client). No form of another site can send such a request, a script
of another site has to ask first (CORS) and is refused, and so is an Origin that is not ours (``doorstep``). There is no
cookie that could be sent along. So the page needs no token of its own against forged requests, and all routes here are
GET and change nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from engine.errors import FilmroomError, Missing
from protocols.web import links, static_files
from protocols.web.messages import Headers, Reply, Request
from protocols.web.problems import Problem, problem_of
from protocols.web.rest import deleted, jobs, studies, versions
from protocols.web.routing import UID, Route
from protocols.web.site import Site
from protocols.web.status_page import drawn
from protocols.web.status_page.searched import FILTERS, PAGE_ROWS_COUNT, Parameters, Searched, searched_of
from protocols.web.status_page.tiles import tiles_of

PARTS: Final = "/page"
DELETED_ROWS_COUNT: Final = 100
# fmt: off
MODALITIES: Final = (
    "CR", "CT", "DOC", "DX", "ECG", "ES", "IO", "IVUS", "KO", "MG", "MR", "NM", "OCT", "OP", "OT", "PR", "PT", "PX",
    "RF", "RTDOSE", "RTPLAN", "RTSTRUCT", "SC", "SEG", "SM", "SR", "US", "XA", "XC",
)
# fmt: on
Values = dict[str, Any]
Part = Callable[[Request, Site], Awaitable[Values]]


async def front(request: Request, site: Site) -> Reply:
    """The whole page: with one view in it, or with the place of one for who must show a token first."""
    said = dict(request.query)
    view = said.get("view", "")
    name = "study" if UID.fullmatch(said.get("study", "")) else view if view in ("deleted", "jobs") else "studies"
    values = _common(request, site) | {"view": name, "is_whole": True, "is_locked": site.is_locked}
    if site.is_locked:
        part = f"studies/{said['study']}" if name == "study" else name
        return drawn.page("locked.html", part=part, address=_queried(request), **values)
    values |= await _tiles(request, site)
    return drawn.page(f"{name}.html", **values | await _PARTS[name](_of_study(request, said), site))


async def studies_part(request: Request, site: Site) -> Reply:
    """A page of studies. What the search form asked for becomes the page's address."""
    values = await _studies(request, site)
    is_typed = request.header("hx-source") == "form#search"
    headers: Headers = (("HX-Replace-Url", f"./{values['searched'].address()}"),) if is_typed else ()
    return drawn.page("studies.html", headers, **_common(request, site), **values)


async def study_part(request: Request, site: Site) -> Reply:
    """One study: its series, versions, and what may be done with it."""
    return drawn.page("study.html", **_common(request, site), **await _study(request, site))


async def deleted_part(request: Request, site: Site) -> Reply:
    """What can be restored."""
    return drawn.page("deleted.html", **_common(request, site), **await _deleted(request, site))


async def jobs_part(request: Request, site: Site) -> Reply:
    """What goes on behind requests."""
    return drawn.page("jobs.html", **_common(request, site), **await _jobs(request, site))


async def tiles_part(request: Request, site: Site) -> Reply:
    """Figures."""
    return drawn.page("tiles.html", **_common(request, site), **await _tiles(request, site))


async def file(request: Request, site: Site) -> Reply:
    """What the page is made of: scripts, style."""
    found = drawn.files().get(request.parameters["path"])
    if found is None:
        raise Problem(404, "the page has no such file")
    return await static_files.reply(request, found)


def _common(request: Request, site: Site) -> Values:
    return {
        "is_whole": False,
        "is_locked": site.is_locked,
        "base": links.base_url(request, site.settings),
    }


async def _studies(request: Request, site: Site) -> Values:
    searched = searched_of(request.query)
    values: Values = {"searched": searched, "filters": FILTERS, "modalities": MODALITIES, "rows_count": PAGE_ROWS_COUNT}
    values |= {"has_viewer": bool(await site.viewer.files()), "status": site.history.status}
    try:
        found = [await _counted(request, site, searched, by, called) for by, called in searched.candidates()]
        chosen = next((one for one in found if one.by == searched.by or (not searched.by and one.total)), None)
        chosen = chosen or (found[0] if found else Counted())
        page = await _page(request, site, searched.parameters(chosen.by, chosen.text))
    except (Problem, FilmroomError) as error:
        problem = error if isinstance(error, Problem) else problem_of(error)
        return values | {"trouble": problem.detail, "by": "", "found": [], "total": 0, "offset": 0, "studies": []}
    return values | page | {"trouble": "", "by": chosen.by, "found": found}


class Counted(msgspec.Struct, frozen=True):
    """How many studies have the box's text in an attribute, and how it is written there."""

    by: str = ""
    called: str = ""
    text: str = ""
    total: int = 0


async def _counted(request: Request, site: Site, searched: Searched, by: str, called: str) -> Counted:
    for text in searched.spellings(by):
        page = await _page(request, site, searched.parameters(by, text, 1))
        if page["total"]:
            return Counted(by, called, text, page["total"])
    return Counted(by, called, searched.text)


async def _page(request: Request, site: Site, parameters: Parameters) -> Values:
    return await studies.page(_asking(request, parameters), site)


async def _study(request: Request, site: Site) -> Values:
    uid = request.parameters["study"]
    values: Values = {"has_viewer": bool(await site.viewer.files()), "peers": [], "grace_days": None}
    values["wants"] = next(iter(request.values("wants")), "")
    if site.household is not None:
        values |= {"peers": site.household.peers(), "grace_days": site.history.status.get("grace_days")}
    try:
        found = await studies.with_series(site, uid)
    except Missing:
        return values | {"study": None, "study_uid": uid}
    several = await versions.of_study(site, uid) if found["several_versions_count"] else {"instances": []}
    return values | {"study": found, "study_uid": uid, "several": several["instances"]}


async def _deleted(request: Request, site: Site) -> Values:
    return await deleted.page(_asking(request, [("limit", str(DELETED_ROWS_COUNT))]), site)


async def _jobs(request: Request, site: Site) -> Values:
    return jobs.remembered(site)


async def _tiles(request: Request, site: Site) -> Values:
    now = await site.history.now()
    has_node = site.household is not None
    made = tiles_of(site.history.samples, now, site.history.bounds_seconds, has_node)
    return {"tiles": made, "status": site.history.status, "change": now.acknowledged_lsn}


_PARTS: Final[dict[str, Part]] = {"studies": _studies, "study": _study, "deleted": _deleted, "jobs": _jobs}


def _asking(request: Request, query: list[tuple[str, str]]) -> Request:
    return msgspec.structs.replace(request, query=tuple(query))


def _of_study(request: Request, said: dict[str, str]) -> Request:
    return msgspec.structs.replace(request, parameters={"study": said.get("study", "")})


def _queried(request: Request) -> str:
    return searched_of(request.query).address()


def _open(path: str, handler: Any, summary: str) -> Route:
    return Route(method="GET", path=path, handler=handler, scope="read", summary=summary, is_page=True)


def _part(path: str, handler: Any, summary: str) -> Route:
    return Route(
        method="GET", path=f"{PARTS}/{path}", handler=handler, scope="read", summary=summary, gives=(drawn.HTML,)
    )


ROUTES: Final = (
    _open("/", front, "The page"),
    _open(f"{PARTS}/files/{{path*}}", file, "What it is made of"),
    _part("studies", studies_part, "Studies, as a part of the page"),
    _part("studies/{study}", study_part, "A study, as a part of the page"),
    _part("deleted", deleted_part, "What can be restored, as a part of the page"),
    _part("jobs", jobs_part, "Jobs, as a part of the page"),
    _part("tiles", tiles_part, "Figures, as a part of the page"),
)
