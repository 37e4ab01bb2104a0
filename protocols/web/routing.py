"""A route, and the way from a path to it: segment by segment through dictionaries."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Literal
from urllib.parse import unquote_to_bytes

import msgspec

from protocols.web.messages import Reply, Request

# Its second argument is the Site, which holds the routes itself.
Handler = Callable[[Request, Any], Awaitable[Reply]]
Scope = Literal["read", "write", "delete", "admin"]
UID: Final = re.compile(r"[0-9.]{1,64}")


class Parameter(msgspec.Struct, frozen=True):
    """A query parameter, for those who read what is offered."""

    name: str
    summary: str
    is_repeated: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table of routes.

    ``path``: segments, of which ``{name}`` stands for any one, and ``{name*}`` at the end for all that follow.
    ``gives``, ``takes``: media types of answer and body; ``fails``: of answers to what cannot be done, beside problems.
    ``body_bytes_max`` 0: no body is read. ``waits``: the handler reads no body and may wait for something to happen; it
    is cancelled when its client goes. (Who reads a body or streams an answer notices that anyway.) ``body``: the type
    of a JSON body, for those who read what is offered. ``is_page``: for browsers, which show no token when they go to a
    page: it holds nothing of what is kept, and is open to everybody; no program reads of it.
    """

    method: str
    path: str
    handler: Handler
    scope: Scope
    summary: str
    gives: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body_bytes_max: int = 0
    waits: bool = False
    body: Any = None
    is_page: bool = False


class Place(msgspec.Struct, frozen=True):
    """Where a path leads: the routes there by method, and the path's own parameters."""

    routes: dict[str, Route]
    parameters: dict[str, str]

    @property
    def allow(self) -> str:
        """The methods that are served here, as ``Allow`` says them. HEAD works wherever GET does."""
        methods = set(self.routes) | {"OPTIONS"} | ({"HEAD"} if "GET" in self.routes else set())
        return ", ".join(sorted(methods))


class _Node:
    """What may follow a segment."""

    __slots__ = ("any", "literal", "rest", "routes")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.rest: _Node | None = None
        self.routes: dict[str, tuple[Route, tuple[str, ...]]] = {}


class Router:
    """Finds the place of a path. It is split before it is percent-decoded: ``%2F`` separates nothing (H55)."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)
        self.first_segments = frozenset(self._root.literal)

    def find(self, raw_path: str) -> Place | None:
        """The place; None: there is nothing."""
        node, values = self._root, []
        segments = raw_path.strip("/").split("/")
        for at, segment in enumerate(segments):
            following = node.literal.get(segment)
            if following is not None:
                node = following
                continue
            if node.any is not None and segment:
                node = node.any
                values.append(_decoded(segment))
                continue
            if node.rest is not None:
                node = node.rest
                values.append("/".join(map(_decoded, segments[at:])))
                break
            return None
        if not node.routes:
            return None
        names = next(iter(node.routes.values()))[1]
        return Place(
            {method: route for method, (route, _) in node.routes.items()}, dict(zip(names, values, strict=True))
        )

    def _add(self, route: Route) -> None:
        node, names = self._root, []
        for segment in route.path.strip("/").split("/"):
            if not segment.startswith("{"):
                node = node.literal.setdefault(segment, _Node())
                continue
            name = segment.strip("{}*")
            names.append(name)
            if segment.endswith("*}"):
                node.rest = node.rest or _Node()
                node = node.rest
            else:
                node.any = node.any or _Node()
                node = node.any
        node.routes[route.method] = (route, tuple(names))


def _decoded(segment: str) -> str:
    return unquote_to_bytes(segment).decode("utf-8", "replace") if "%" in segment else segment
