"""What ``filmroom token`` does to an open node."""

from typing import Any

from engine.clock import utc_text
from filmroom.compose import Node
from filmroom.control import Tell


async def token_new(node: Node, tell: Tell, *, name: str, scopes: list[str], days: int) -> None:
    """The token, this once, and what it allows."""
    text = node.tokens.new(name, scopes, days)
    (made,) = [item for item in _told(node) if item["name"] == name]
    await tell({"token": text, **made})


async def token_ls(node: Node, tell: Tell) -> None:
    """Every token, but for its text, which nobody knows."""
    for item in _told(node):
        await tell(item)


async def token_rm(node: Node, tell: Tell, *, name: str) -> None:
    """The name of the token that has ended."""
    node.tokens.remove(name)
    await tell({"name": name})


def _told(node: Node) -> list[dict[str, Any]]:
    return [
        {
            "name": token.name,
            "scopes": list(token.scopes),
            "created": utc_text(token.created_us),
            "expires": utc_text(token.expires_us) if token.expires_us else "",
            "expired": node.tokens.is_expired(token),
        }
        for token in node.tokens.all()
    ]
