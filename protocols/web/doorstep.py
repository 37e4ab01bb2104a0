"""Whether a request may come in at all, by where it says that it goes and comes from. Pure.

A page in a browser on this machine can reach what listens on loopback only: under a name of its own that it lets point
to 127.0.0.1 (DNS rebinding), then its Host is that name; or as a form sent across origins, then its Origin is foreign.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from protocols.web import links
from protocols.web.messages import Request
from protocols.web.problems import Problem
from protocols.web.settings import WebSettings

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]/?#@\s]+)(?::[0-9]{1,5})?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def check(request: Request, settings: WebSettings) -> None:
    """Raises Problem: 421 for a Host that is not ours on loopback, 403 for what a foreign page would change."""
    if not is_addressed(request.header("host"), request.server[0], settings):
        raise Problem(
            421, "on this machine the node answers to localhost and 127.0.0.1; another name is told by serve.public_url"
        )
    if request.method not in SAFE_METHODS:
        check_origin(request, settings)


def check_origin(request: Request, settings: WebSettings) -> None:
    """Raises Problem (403) for what a foreign page would change, or listen to: a browser lets any page open a
    WebSocket."""
    if not (origin := request.header("origin")):
        return
    if not _is_own(origin, request, settings) and not {origin, "*"} & set(settings.cors_origins):
        raise Problem(403, "pages of other origins may change nothing here, but those that serve.cors_origins names")


def is_addressed(host: str, server: str, settings: WebSettings) -> bool:
    """Whether the Host header means us. Where others can connect, any does: there, tokens guard (RFC 9110 7.4)."""
    if not is_loopback(server):
        return True
    found = _HOST.fullmatch(host)
    if found is None:
        return not host  # HTTP/1.0; no browser leaves it out
    name = found[1].strip("[]").lower().removesuffix(".")
    return is_loopback(name) or name == (urlsplit(settings.public_url).hostname or "")


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host is this machine, whatever a name server says."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)


def _is_own(origin: str, request: Request, settings: WebSettings) -> bool:
    """Whether the page came from us: by the host that it names, or by where we are for clients behind a proxy."""
    found = _HOST.fullmatch(request.header("host"))
    own = {_place(links.base_url(request, settings))}
    if found is not None:
        own.add(_place(f"{request.scheme}://{found[0]}"))
    return _place(origin) in own


def _place(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; of what is no URL, nothing that another has."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return url, "", 0
    return parts.scheme, parts.hostname or "", port
