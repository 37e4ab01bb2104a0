"""From a request to its reply: which route, who may, what went wrong. Knows neither sockets nor servers."""

import logging
from collections.abc import Callable
from typing import Final

import msgspec
import trio

from engine.errors import FilmroomError
from protocols.web import cors
from protocols.web.messages import Headers, Reply, Request
from protocols.web.problems import MEDIA_TYPE, NOWHERE, Disconnected, Problem, problem_of
from protocols.web.routing import UID, Place, Route, Router
from protocols.web.site import Site

log = logging.getLogger("filmroom.web")

# Raises Problem (401, 403) for who may not use a route.
Guard = Callable[[Request, Route], None]

UIDS: Final = ("study", "series", "instance", "workitem")
HARDENED: Final[Headers] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'"),
    ("Cache-Control", "private, no-cache"),
)


class Door:
    """Answers every request for a path of the table of routes."""

    def __init__(self, site: Site, guard: Guard | None = None) -> None:
        self.site = site
        self._guard = guard
        self._router = Router(site.routes)

    def owns(self, path: str) -> bool:
        """Whether a path is below one of the table's first segments; others belong to the pages."""
        return path.startswith("/") and path.split("/", 2)[1] in self._router.first_segments

    def place(self, raw_path: str) -> Place | None:
        """Where a path leads."""
        return self._router.find(raw_path)

    async def answer(self, request: Request, place: Place | None) -> Reply:
        """The reply, also to what cannot be answered. Raises Disconnected when nobody waits for it any more."""
        begun = trio.current_time()
        try:
            reply = await self._answer(request, place)
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001 - a defect in one handler is one client's 500, never the node's end
            reply = reply_of(_meaning(error))
        path = "" if place is None else next(iter(place.routes.values())).path
        method = request.method if place is not None and request.method in place.routes else "other"
        self.site.answered.note(method, path, reply.status, trio.current_time() - begun)
        extra = HARDENED + cors.headers_for(request, self.site.settings.cors_origins)
        return msgspec.structs.replace(reply, headers=_completed(reply.headers, extra))

    async def _answer(self, request: Request, place: Place | None) -> Reply:
        if place is None:
            raise Problem(404, NOWHERE)
        if request.method == "OPTIONS" and (cors.is_preflight(request) or "OPTIONS" not in place.routes):
            allowed = cors.preflight_headers(request, self.site.settings.cors_origins, place.allow)
            return Reply(204, (("Allow", place.allow), *allowed))
        route = place.routes.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            raise Problem(405, "this method is not served here", (("Allow", place.allow),))
        for name in UIDS:
            if not UID.fullmatch(request.parameters.get(name, "1")):
                raise Problem(400, f"the path names a {name} by what is no UID")
        _check_body(request, route)
        if self._guard is not None and not route.is_page:
            self._guard(request, route)
        return await route.handler(request, self.site)


def reply_of(problem: Problem) -> Reply:
    """The problem as an answer."""
    return Reply(problem.status, (("Content-Type", MEDIA_TYPE), *problem.headers, *HARDENED), problem.body())


def _check_body(request: Request, route: Route) -> None:
    request.body.bytes_max = route.body_bytes_max
    length = request.header("content-length")
    if length.isdigit() and int(length) > route.body_bytes_max:
        raise Problem(413, f"the body is larger than {route.body_bytes_max} bytes")
    if route.body_bytes_max and request.header("content-encoding") not in ("", "identity"):
        raise Problem(415, "the body must not be encoded")


def _completed(headers: Headers, extra: Headers) -> Headers:
    """What a handler said counts, but for Vary, which adds up."""
    said = {name for name, _ in headers}
    return headers + tuple(pair for pair in extra if pair[0] not in said or pair[0] == "Vary")


def _meaning(error: Exception) -> Problem:
    """What to tell the client. Of errors that came together, the first that means something."""
    if isinstance(error, ExceptionGroup):
        meanings = [_meaning(one) for one in error.exceptions]
        return next((one for one in meanings if one.status != 500), meanings[0])
    if isinstance(error, Problem):
        return error
    if isinstance(error, FilmroomError):
        problem = problem_of(error)
        if problem.status == 500:
            log.error("stored bytes are damaged", extra={"error": type(error).__name__})
        return problem
    log.error("request failed", extra=said_of(error))
    return Problem(500, "this request could not be answered; the log of the node has more")


def said_of(error: BaseException) -> dict[str, str]:
    """What the log says of an error: kind, file and line; not its message, which may hold what a patient is called."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    trace, where = error.__traceback__, ""
    while trace is not None:
        where = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return {"error": type(error).__name__, "where": where}
