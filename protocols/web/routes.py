"""The table of routes: everything that is served beside the pages. Dispatch, OPTIONS, 405, capabilities and OpenAPI are
made from it."""

from typing import Final

from protocols.web import capabilities, metrics, removal
from protocols.web.links import ROOT
from protocols.web.qido import searching
from protocols.web.rest.routes import ROUTES as REST
from protocols.web.routing import Handler, Route
from protocols.web.status_page.routes import ROUTES as STATUS_PAGE
from protocols.web.stow import storing
from protocols.web.ups.routes import ROUTES as UPS
from protocols.web.viewer.routes import ROUTES as VIEWER
from protocols.web.wado import metadata, wado_uri
from protocols.web.wado import routes as wado_routes

STUDY: Final = f"{ROOT}/studies/{{study}}"
SERIES: Final = f"{STUDY}/series/{{series}}"
INSTANCE: Final = f"{SERIES}/instances/{{instance}}"


def _search(path: str, handler: Handler, summary: str) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        scope="read",
        summary=f"{summary} (QIDO-RS, PS3.18 10.6)",
        gives=searching.GIVES,
        parameters=searching.PARAMETERS,
    )


def _metadata(path: str, of: str) -> Route:
    return Route(
        method="GET",
        path=f"{path}/metadata",
        handler=metadata.metadata,
        scope="read",
        summary=f"Metadata of {of} (WADO-RS, PS3.18 10.4)",
        gives=metadata.GIVES,
    )


def _store(path: str, what: str) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=storing.store,
        scope="write",
        summary=f"Store {what} (STOW-RS, PS3.18 10.5)",
        gives=storing.GIVES,
        takes=storing.TAKES,
        fails=storing.GIVES,
        body_bytes_max=storing.BODY_BYTES_MAX,
    )


def _delete(path: str, what: str) -> Route:
    return Route(
        method="DELETE",
        path=path,
        handler=removal.delete,
        scope="delete",
        summary=f"Delete {what}: restorable until the grace is over",
    )


def _wado_uri(path: str) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=wado_uri.retrieve,
        scope="read",
        summary="Retrieve an object by the query alone (WADO-URI, PS3.18 9)",
        gives=wado_uri.GIVES,
        parameters=wado_uri.PARAMETERS,
    )


def _capabilities(method: str) -> Route:
    return Route(
        method=method,
        path=ROOT,
        handler=capabilities.capabilities,
        scope="read",
        summary="What is served (PS3.18 8.9)",
        gives=capabilities.GIVES,
    )


ROUTES: Final = (
    *wado_routes.routes(STUDY, SERIES, INSTANCE),
    _wado_uri("/wado"),
    _wado_uri(f"{ROOT}/wado"),
    _delete(STUDY, "a study"),
    _delete(SERIES, "a series"),
    _delete(INSTANCE, "an instance"),
    _store(f"{ROOT}/studies", "instances"),
    _store(STUDY, "instances of one study"),
    _metadata(STUDY, "a study"),
    _metadata(SERIES, "a series"),
    _metadata(INSTANCE, "an instance"),
    _search(f"{ROOT}/studies", searching.studies, "Search for studies"),
    _search(f"{ROOT}/series", searching.series, "Search for series of all studies"),
    _search(f"{ROOT}/instances", searching.instances, "Search for instances of all studies"),
    _search(f"{STUDY}/series", searching.series, "Search for series of a study"),
    _search(f"{STUDY}/instances", searching.instances, "Search for instances of a study"),
    _search(f"{SERIES}/instances", searching.instances, "Search for instances of a series"),
    _capabilities("OPTIONS"),
    _capabilities("GET"),
    Route(
        method="GET",
        path="/metrics",
        handler=metrics.metrics,
        scope="read",
        summary="Counts and times of this process, for Prometheus",
        gives=metrics.GIVES,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=capabilities.openapi,
        scope="read",
        summary="What is served, as OpenAPI",
        gives=("application/json",),
    ),
    *UPS,
    *REST,
    *VIEWER,
    *STATUS_PAGE,
)
