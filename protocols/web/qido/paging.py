"""Pages by offset that hold still while data arrives (C25).

The web pages by number: ``offset=101`` says nothing of the answer whose first 101 rows were given. The place behind
each page that was given is remembered for the one who asked: the same question from there goes on in the same answer
(``engine.index.pages``), and past its end there is nothing.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import msgspec
from blake3 import blake3

from engine.errors import Invalid
from engine.model import Found, Query
from protocols.web.messages import Request
from protocols.web.ports import Archive

T = TypeVar("T")
_Place = tuple[bytes, int]  # digest of who asks and what, offset: questions may be long


class Continuation(msgspec.Struct, frozen=True):
    """Where an answer goes on; without a token it has ended."""

    token: str
    total: int


class Continuations:
    """The places of a process. All calls come from its one loop."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._places: OrderedDict[_Place, Continuation] = OrderedDict()

    async def answer(self, request: Request, archive: Archive, query: Query, shape: Callable[[Found], T]) -> T:
        """The page asked for: of the answer that its asker is reading already, or of a new one."""
        asked_by = _digest(request, query)
        place = (asked_by, query.offset)
        going_on = self._places.get(place) if query.offset else None
        if going_on is not None and not going_on.token:
            return shape(Found(matches=(), total=going_on.total))
        try:
            asked = msgspec.structs.replace(query, page=going_on.token) if going_on is not None else query
            found, reply = await archive.shaped(asked, lambda found: (found, shape(found)))
        except Invalid:
            if going_on is None:
                raise
            self._places.pop(place, None)  # that answer is not kept any more
            found, reply = await archive.shaped(query, lambda found: (found, shape(found)))
        if found.matches:  # a page without rows leads nowhere
            self._keep((asked_by, query.offset + len(found.matches)), found)
        return reply

    def _keep(self, place: _Place, found: Found) -> None:
        self._places[place] = Continuation(found.next_page, found.total)
        self._places.move_to_end(place)
        while len(self._places) > self._count_max:
            self._places.popitem(last=False)


def _digest(request: Request, query: Query) -> bytes:
    bare = msgspec.structs.replace(query, limit=None, offset=0)
    return blake3(msgspec.msgpack.encode((request.peer, request.header("authorization"), bare))).digest()
