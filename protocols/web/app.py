"""HTTP in the caller's nursery: what the table of routes names through the door, pages by Quart, which only this module
knows."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import trio
from quart import Response
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from protocols.transcode import Transcoder
from protocols.web.door import Door, Guard
from protocols.web.health import Health
from protocols.web.ports import Archive, Household, Traffic
from protocols.web.problems import MEDIA_TYPE, NOWHERE, Problem
from protocols.web.routes import ROUTES
from protocols.web.routing import Route
from protocols.web.settings import WebSettings
from protocols.web.site import Site
from protocols.web.wire.connection import serve_connections
from protocols.web.wire.exchange import Exchanges
from protocols.web.wire.pages import Pages

BODY_BYTES_MAX = 64 * 1024  # pages take none


def make_app(health: Health) -> QuartTrio:
    """The application: ``/health/live``, ``/health/ready``."""
    app = QuartTrio("protocols.web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX

    @app.get("/health/live")
    async def live() -> Response:
        return _json(200, {"live": True})

    @app.get("/health/ready")
    async def ready() -> Response:
        report = health.report()
        return _json(200 if report["ready"] else 503, report)

    @app.errorhandler(HTTPException)
    async def refuse(error: HTTPException) -> Response:
        problem = Problem(error.code or 500, NOWHERE if error.code == 404 else "")
        return Response(problem.body(), problem.status, content_type=MEDIA_TYPE)

    @app.after_request
    async def harden(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'"
        return response

    return app


def _json(status: int, body: dict[str, bool]) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "5"} if status == 503 else {})
    return Response(msgspec.json.encode(body), status, headers, content_type="application/json")


async def serve(
    listeners: Sequence[trio.abc.Listener[Any]],
    health: Health,
    archive: Archive,
    settings: WebSettings,
    *,
    guard: Guard | None = None,
    traffic: Traffic | None = None,
    household: Household | None = None,
    transcoder: Transcoder | None = None,
    routes: tuple[Route, ...] = ROUTES,
    shutdown: trio.Event,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the bound listeners (of sockets, or of TLS) until shutdown. ``transcoder``: the process's own."""
    async with AsyncExitStack() as held:
        if transcoder is None:
            transcoder = await held.enter_async_context(Transcoder())
        is_locked = guard is not None
        site = Site(
            archive, settings, routes, traffic, transcoder, household=household, is_locked=is_locked, shutdown=shutdown
        )
        held.push_async_callback(site.close)
        exchanges = Exchanges(Door(site, guard), Pages(make_app(health)))
        async with trio.open_nursery() as nursery:
            await nursery.start(site.working.run)
            nursery.start_soon(site.history.run)
            await serve_connections(exchanges, listeners, shutdown=shutdown, task_status=task_status)
            nursery.cancel_scope.cancel()
