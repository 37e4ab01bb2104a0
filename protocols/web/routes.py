"""The table of routes: everything that is served beside the pages. Dispatch, OPTIONS, 405, capabilities and OpenAPI are
made from it."""

from typing import Final

from protocols.web import capabilities
from protocols.web.links import ROOT
from protocols.web.routing import Route

ROUTES: Final = (
    Route(
        method="OPTIONS",
        path=ROOT,
        handler=capabilities.capabilities,
        scope="read",
        summary="What is served (PS3.18 8.9)",
        gives=capabilities.GIVES,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=capabilities.openapi,
        scope="read",
        summary="What is served, as OpenAPI",
        gives=("application/json",),
    ),
)
