"""Requests without a server."""

from typing import Any

from protocols.web.messages import Body, Request
from protocols.web.patience import Patience


async def nothing() -> bytes:
    return b""


def request(path: str = "/dicomweb/studies", method: str = "GET", **facts: Any) -> Request:
    """A request as the door gets it."""
    return Request(method=method, path=path, body=Body(nothing, Patience(30.0, 1024)), **facts)
