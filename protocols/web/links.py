"""Absolute URLs of what is served, right behind proxies too. Pure.

Where we are: the ``public_url`` setting; else what a trusted proxy says (``Forwarded``, RFC 7239, ``X-Forwarded-*``);
else the Host header, with the port of the connection when it names none (a client that leaves it out is on that port).
"""

import re
from typing import Final

from protocols.web.forms.media_types import parameters_of
from protocols.web.messages import Request
from protocols.web.proxies import is_trusted
from protocols.web.settings import WebSettings

ROOT: Final = "/dicomweb"
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def base_url(request: Request, settings: WebSettings) -> str:
    """Scheme, host and whatever a proxy puts before our paths; without a slash at the end."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    if is_trusted(request.peer, settings.trusted_proxies) and (said := _forwarded(request)):
        return said
    host = request.header("host")
    if not _HOST.fullmatch(host):
        name, port = request.server
        host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    return f"{request.scheme}://{_with_port(host, request.scheme, request.server[1])}"


def dicomweb_url(request: Request, settings: WebSettings) -> str:
    """The root of our DICOMweb services."""
    return base_url(request, settings) + ROOT


def study_url(root: str, study_uid: str) -> str:
    """A study below ``dicomweb_url``."""
    return f"{root}/studies/{study_uid}"


def series_url(root: str, study_uid: str, series_uid: str) -> str:
    """A series."""
    return f"{root}/studies/{study_uid}/series/{series_uid}"


def instance_url(root: str, study_uid: str, series_uid: str, sop_instance_uid: str) -> str:
    """An instance."""
    return f"{root}/studies/{study_uid}/series/{series_uid}/instances/{sop_instance_uid}"


def bulkdata_url(instance: str) -> str:
    """Where values of an instance are, by paths like ``7FE00010`` or ``00400275/1/00401001`` (items count from 1)."""
    return f"{instance}/bulkdata"


def _with_port(host: str, scheme: str, port: int) -> str:
    has_port = ":" in host.rpartition("]")[2]
    return host if has_port or port == _DEFAULT_PORTS.get(scheme) else f"{host}:{port}"


def _forwarded(request: Request) -> str:
    """What the nearest proxy says of the request that it took; empty when it says nothing usable. One that names no
    host has passed on the one that it was asked for."""
    if said := request.header("forwarded"):
        last = parameters_of(said.rpartition(",")[2])
        scheme, host, port, prefix = last.get("proto", ""), last.get("host", ""), "", ""
    else:
        scheme, host, port, prefix = (
            _last(request.header(f"x-forwarded-{name}")) for name in ("proto", "host", "port", "prefix")
        )
    if not (scheme or host or port or prefix):
        return ""
    scheme, host = scheme.lower() or request.scheme, host or request.header("host")
    if scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host):
        return ""
    if port.isdigit() and ":" not in host.rpartition("]")[2] and int(port) != _DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    return f"{scheme}://{host}{prefix.rstrip('/') if re.fullmatch('(?:/[A-Za-z0-9._~-]+)*/?', prefix) else ''}"


def _last(text: str) -> str:
    return text.rpartition(",")[2].strip()
