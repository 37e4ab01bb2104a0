"""What bounds all connections together: who comes when there is no place is told so; long heads share one room."""

from contextlib import suppress
from typing import Any, Final

import trio

from protocols.web.door import reply_of
from protocols.web.problems import busy
from protocols.web.wire.answer_head import CLOSE, head_of
from protocols.web.wire.wires import GONE

RETRY_SECONDS: Final = 5.0
# Of one that is turned away: the answer fits what the kernel takes at once; then it reads, and closes.
GOODBYE_SECONDS: Final = 1.0
# That are waited for at once: of who comes beyond, those that have asked already may not hear the answer.
GOODBYES_COUNT_MAX: Final = 64
# A head up to here is what everybody may hold: cookies and a token. Longer ones are lists of UIDs.
SHORT_HEAD_BYTES: Final = 16 << 10


class Goodbyes:
    """Says to who comes when all places are taken that he may come again."""

    def __init__(self) -> None:
        self._count = 0

    async def say(self, stream: Any, date: str) -> None:
        """Answer 503, without a look at the request. Over TLS nothing can be said before the handshake, which is dearer
        than the answer."""
        self._count += 1
        try:
            if isinstance(stream, trio.SocketStream):
                with trio.move_on_after(GOODBYE_SECONDS), suppress(*GONE):
                    await stream.send_all(_full(date))
                    await stream.send_eof()
                    while self._count <= GOODBYES_COUNT_MAX and await stream.receive_some(SHORT_HEAD_BYTES):
                        pass
        finally:
            self._count -= 1
        await trio.aclose_forcefully(stream)


def _full(date: str) -> bytes:
    problem = busy("too many connections at once", RETRY_SECONDS)
    body = problem.body()
    reply = reply_of(problem)
    return head_of(reply.status, reply.headers, (*CLOSE, ("Content-Length", str(len(body)))), date) + body


class HeadRoom:
    """What long heads may hold, all of them together, from their bytes to the end of the answer."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def share(self) -> "Share":
        """For one connection."""
        return Share(self)

    def take(self, count: int) -> bool:
        """Whether there is so much left; negative: it is given back."""
        if count > self._left:
            return False
        self._left -= count
        return True


class Share:
    """What one connection has of it."""

    def __init__(self, room: HeadRoom) -> None:
        self._room = room
        self._held = 0

    def hold(self, count: int) -> bool:
        """So much of a head has come: whether there is room for it."""
        more = count - self._held
        if count <= SHORT_HEAD_BYTES or more <= 0:
            return True
        if not self._room.take(more):
            return False
        self._held = count
        return True

    def give_back(self) -> None:
        """The head is done with."""
        if self._held:
            self._room.take(-self._held)
            self._held = 0
