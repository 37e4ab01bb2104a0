"""Who may use a route: bearer tokens (RFC 6750), taken from the Authorization header and from nowhere else."""

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from protocols.web.messages import Headers, Request
from protocols.web.problems import Problem
from protocols.web.routing import Route, Scope

log = logging.getLogger("filmroom.web")

# Where other systems put tokens into URLs: from there they leak into logs, histories and Referer headers.
QUERY_NAMES: Final = frozenset({"access_token", "token", "authorization"})


class Holder(msgspec.Struct, frozen=True):
    """Whom a token was made for, and what it allows."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether it allows this; ``admin`` allows everything."""
        return scope in self.scopes or "admin" in self.scopes


# The holder of a token; None: there is no such token, or not any more.
HolderOf = Callable[[str], Holder | None]


class Lock:
    """A ``Guard`` that lets in who shows a token with the scope of the route."""

    def __init__(self, holder_of: HolderOf) -> None:
        self._holder_of = holder_of

    def __call__(self, request: Request, route: Route) -> None:
        """Raises Problem: 401 without a good token, 403 for one without the scope. The same for what is here and what
        is not (H46): nothing has been looked up yet."""
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme.lower() != "bearer":
            sentence = "a token is needed: Authorization: Bearer TOKEN"
            if any(name.lower() in QUERY_NAMES for name, _ in request.query):
                sentence = "a token is taken from the Authorization header only: one in a URL is no secret any more"
            raise _refused(request, route, 401, sentence, "Bearer")
        holder = self._holder_of(token.strip())
        if holder is None:
            raise _refused(request, route, 401, "this token is not known, or has expired", _said("invalid_token"))
        if not holder.may(route.scope):
            challenge = f'{_said("insufficient_scope")}, scope="{route.scope}"'
            raise _refused(request, route, 403, f"this token lacks the scope {route.scope}", challenge, holder.name)


def _said(error: str) -> str:
    return f'Bearer error="{error}"'


def _refused(request: Request, route: Route, status: int, sentence: str, challenge: str, name: str = "") -> Problem:
    """What is said, and the one line in the log: who, from where, for what; never the token or what the path names."""
    extra = {"peer": request.peer, "method": request.method, "route": route.path, "status": status}
    log.warning("request refused", extra=extra | ({"token": name} if name else {}))
    headers: Headers = (("WWW-Authenticate", challenge),)
    return Problem(status, sentence, headers)
