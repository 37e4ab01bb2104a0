"""Requests without a server."""

from typing import Any

from protocols.web.messages import Body, Request


async def nothing() -> bytes:
    return b""


def request(path: str = "/dicomweb/studies", method: str = "GET", **facts: Any) -> Request:
    """A request as the door gets it."""
    return Request(method=method, path=path, body=Body(nothing), **facts)
