"""HTTP: quart-trio on hypercorn, in the caller's nursery. The only module that knows either."""

from collections.abc import Sequence

import msgspec
import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve
from quart import Response
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from protocols.web.health import Health

GRACE_SECONDS = 5.0
# A request line or header above this is no request (H54); a body has no place here yet.
HEADER_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 64 * 1024
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Filmroom</title>
<h1>Filmroom</h1><p>This is a Filmroom archive. It speaks DICOM on its DICOM port;
<a href="health/ready">health/ready</a> says whether it may be sent work.</p></html>
"""


def make_app(health: Health) -> QuartTrio:
    """The application: ``/``, ``/health/live``, ``/health/ready``."""
    app = QuartTrio("protocols.web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX

    @app.get("/")
    async def page() -> Response:
        return Response(PAGE, content_type="text/html; charset=utf-8")

    @app.get("/health/live")
    async def live() -> Response:
        return _json(200, {"live": True})

    @app.get("/health/ready")
    async def ready() -> Response:
        report = health.report()
        return _json(200 if report["ready"] else 503, report)

    @app.errorhandler(HTTPException)
    async def refuse(error: HTTPException) -> Response:
        return _problem(error.code or 500, error.name)

    @app.after_request
    async def harden(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'"
        return response

    return app


def _problem(status: int, title: str) -> Response:
    """What went wrong, for programs too (RFC 9457)."""
    body = msgspec.json.encode({"title": title, "status": status})
    return Response(body, status, content_type="application/problem+json")


def _json(status: int, body: dict[str, bool]) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "5"} if status == 503 else {})
    return Response(msgspec.json.encode(body), status, headers, content_type="application/json")


async def serve(
    listeners: Sequence[trio.SocketListener],
    health: Health,
    *,
    shutdown: trio.Event,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the bound listeners until shutdown."""
    config = Config()
    config.bind = [f"fd://{listener.socket.detach()}" for listener in listeners]  # hypercorn closes them
    config.accesslog = config.errorlog = None
    config.graceful_timeout = GRACE_SECONDS
    config.h11_max_incomplete_size = HEADER_BYTES_MAX
    config.include_server_header = False
    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: hypercorn_serve(
                make_app(health), config, shutdown_trigger=shutdown.wait, task_status=task_status
            )
        )
        task_status.started()
