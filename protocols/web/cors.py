"""Pages of other origins: which may ask, and what they are told (Fetch, CORS protocol). Pure."""

from typing import Final

from protocols.web.messages import Headers, Request

# What viewers send beyond the simple headers, and what they read beyond the simple answers (C43, O15).
REQUEST_HEADERS: Final = "accept, authorization, content-type, range, if-none-match"
RESPONSE_HEADERS: Final = (
    "content-length, content-location, content-range, etag, link, location, retry-after, warning, x-total-count"
)
PREFLIGHT_SECONDS: Final = "86400"


def allowed_origin(request: Request, origins: tuple[str, ...]) -> str:
    """What to say to a page of another origin; empty: nothing, and its browser keeps the answer from it."""
    origin = request.header("origin")
    if not origin or not origins:
        return ""
    return origin if origin in origins else "*" if "*" in origins else ""


def headers_for(request: Request, origins: tuple[str, ...]) -> Headers:
    """Headers of every answer. An element of a page (O11) names no Origin: whether it may show what is here is said to
    all."""
    if not origins:
        return (("Cross-Origin-Resource-Policy", "same-origin"),)
    shown = (("Cross-Origin-Resource-Policy", "cross-origin"), ("Vary", "Origin"))
    allowed = allowed_origin(request, origins)
    if not allowed:
        return shown
    return (("Access-Control-Allow-Origin", allowed), ("Access-Control-Expose-Headers", RESPONSE_HEADERS), *shown)


def is_preflight(request: Request) -> bool:
    """Whether a browser asks on behalf of a page before it sends what the page wants."""
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def preflight_headers(request: Request, origins: tuple[str, ...], allow: str) -> Headers:
    """The answer to a preflight, beside ``headers_for``."""
    if not allowed_origin(request, origins):
        return ()
    return (
        ("Access-Control-Allow-Methods", allow),
        ("Access-Control-Allow-Headers", REQUEST_HEADERS),
        ("Access-Control-Max-Age", PREFLIGHT_SECONDS),
    )
