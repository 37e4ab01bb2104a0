"""A way to a service that is as long as one wishes: a TCP proxy that holds what is asked back for a while, or cuts it.

What clients send is held back ``delay_ms``, what they are answered is not: one round trip more for each request, and
the bandwidth stays, or is what one line gives to all. Signatures of S3 stay valid, since the bytes are the same.
"""

import math
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from urllib.parse import urlsplit

import trio

PIECE_BYTES = 1 << 18
PIECES_HELD_MAX = 4096
Piece = tuple[float, bytes]


class Distance:
    """A proxy in a thread of its own, from ``__enter__`` to ``__exit__``. Its calls come from any thread."""

    def __init__(
        self,
        endpoint: str,
        *,
        delay_ms: float = 0.0,
        jitter_ms: float = 0.0,
        seed: int = 1,
        bytes_a_second: float = math.inf,
    ) -> None:
        """``endpoint``: http://HOST:PORT of the service. ``bytes_a_second``: of all connections, there and back."""
        there = urlsplit(endpoint)
        self._there = (there.hostname or "", there.port or 80)
        self._delay = delay_ms / 1000
        self._jitter = jitter_ms / 1000
        self._random = random.Random(seed)
        self._rate = bytes_a_second
        self._free_at = 0.0
        self._is_cut = False
        self._began = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._serve,), name="distance", daemon=True)
        self._connections: set[trio.CancelScope] = set()
        self.endpoint = ""

    def __enter__(self) -> "Distance":
        self._thread.start()
        self._began.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._run(self._whole.cancel)
        self._thread.join()

    def cut(self) -> None:
        """Every connection ends, and new ones end at once."""
        self._is_cut = True
        self._run(lambda: [scope.cancel() for scope in self._connections])

    def restore(self) -> None:
        """New connections get through again."""
        self._is_cut = False

    def _run(self, work: Callable[[], object]) -> None:
        done = threading.Event()  # a caller may be in another loop of trio

        def do() -> None:
            work()
            done.set()

        self._token.run_sync_soon(do)
        done.wait()

    async def _serve(self) -> None:
        with trio.CancelScope() as self._whole:
            self._token = trio.lowlevel.current_trio_token()
            async with trio.open_nursery() as nursery:
                listeners = await nursery.start(partial(trio.serve_tcp, self._connect, 0, host="127.0.0.1"))
                self.endpoint = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
                self._began.set()

    async def _connect(self, client: trio.SocketStream) -> None:
        if self._is_cut:
            return
        with trio.CancelScope() as scope:
            self._connections.add(scope)
            try:
                async with await trio.open_tcp_stream(*self._there) as service, trio.open_nursery() as nursery:
                    nursery.start_soon(self._held_back, client, service)
                    await self._relay(service, client)
                    nursery.cancel_scope.cancel()
            except* (OSError, trio.BrokenResourceError):
                pass
            finally:
                self._connections.discard(scope)

    async def _held_back(self, source: trio.SocketStream, target: trio.SocketStream) -> None:
        into, out = trio.open_memory_channel[Piece](PIECES_HELD_MAX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._when_due, out, target)
            async with into:
                with suppress(trio.BrokenResourceError):
                    async for piece in source:
                        delay = self._delay + self._random.random() * self._jitter
                        await into.send((trio.current_time() + delay, bytes(piece)))

    async def _when_due(self, pieces: "trio.MemoryReceiveChannel[Piece]", target: trio.SocketStream) -> None:
        async for due, piece in pieces:
            await trio.sleep_until(due)
            await self._send(piece, target)
        await target.send_eof()

    async def _relay(self, source: trio.SocketStream, target: trio.SocketStream) -> None:
        while piece := await source.receive_some(PIECE_BYTES):
            await self._send(piece, target)

    async def _send(self, piece: bytes, target: trio.SocketStream) -> None:
        """When the line has carried what came before, and this."""
        self._free_at = max(self._free_at, trio.current_time()) + len(piece) / self._rate
        await trio.sleep_until(self._free_at)
        await target.send_all(piece)
