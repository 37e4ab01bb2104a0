"""The opening handshake of a WebSocket (RFC 6455 4.2), as a server sees it. Pure."""

import binascii
from base64 import b64decode
from typing import Final

from wsproto.utilities import generate_accept_token

from protocols.web.messages import Headers, Request
from protocols.web.problems import Problem

VERSION: Final = "13"
_KEY_BYTES: Final = 16


def accepted(request: Request) -> Headers:
    """The headers of the answer 101. Raises Problem: 426 for who asks otherwise, 400 for a handshake that is none."""
    if request.method != "GET" or "websocket" not in _tokens(request.header("upgrade")):
        raise Problem(426, "this is a WebSocket", (("Upgrade", "websocket"), ("Connection", "Upgrade")))
    if "upgrade" not in _tokens(request.header("connection")):
        raise Problem(400, "the handshake does not ask to upgrade the connection")
    if request.header("sec-websocket-version") != VERSION:
        raise Problem(426, f"version {VERSION} is spoken here", (("Sec-WebSocket-Version", VERSION),))
    if request.header("transfer-encoding"):
        raise Problem(400, "the handshake has a body")
    key = request.header("sec-websocket-key")
    try:
        is_key = len(b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        is_key = False
    if not is_key:
        raise Problem(400, "the handshake has no key")
    return (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", generate_accept_token(key.encode()).decode()),
    )


def _tokens(said: str) -> set[str]:
    return {token.strip().lower() for token in said.split(",")}
