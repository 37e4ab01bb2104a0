"""The window behind the one that is read is opened meanwhile, in a thread of the archive.

The first one may be opened by whoever sends it: in a thread anyway, it saves two handings over.

No nursery: a reader may stop anywhere, its async generator with it, and errors reach it as they are.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress

import trio

from engine.fetch import Fetch, Window
from engine.measures import Stopwatch
from engine.model import Instance


class ReadAhead:
    """An async iterator of windows. ``close`` gives back what is open; what is being opened, when it is."""

    def __init__(
        self,
        fetch: Fetch,
        instances: Sequence[Instance],
        threads: ThreadPoolExecutor,
        first_reads: Stopwatch,
        *,
        is_begun: bool = True,
    ) -> None:
        """``first_reads`` learns how long the first window took. Not ``is_begun``: nothing is opened yet."""
        self._fetch = fetch
        self._timed: AbstractContextManager[None] = first_reads.timed()
        self._threads = threads
        self._stretches: Iterator[Sequence[Instance]] = fetch.windows(instances)
        self._held: Window | None = None
        self._is_first_held = False
        self._is_begun = is_begun
        self._coming = self._open_next() if is_begun else None

    def __aiter__(self) -> "ReadAhead":
        return self

    def first(self) -> Window | None:
        """The first window, opened by the caller's thread. Blocking; before anything else is asked for, with nothing
        begun. It is the first one of the iteration, too."""
        stretch = next(self._stretches, None)
        self._is_begun = True
        if stretch is None:
            return None
        timed, self._timed = self._timed, nullcontext()
        with timed:
            self._held = self._fetch.open(stretch)
        self._is_first_held = True
        self._coming = self._open_next()
        return self._held

    async def __anext__(self) -> Window:
        if self._held is not None and self._is_first_held:
            self._is_first_held = False
            return self._held
        self._give_back()
        if not self._is_begun:
            self._is_begun, self._coming = True, self._open_next()
        if self._coming is None:
            raise StopAsyncIteration
        timed, self._timed = self._timed, nullcontext()
        with timed:
            window = await _opened(self._coming)
        self._held, self._coming = window, self._open_next()
        return window

    def close(self) -> None:
        """The window last given is closed too."""
        self._give_back()
        if self._coming is not None and not self._coming.cancel():
            self._coming.add_done_callback(_close_opened)
        self._coming = None

    def _open_next(self) -> "Future[Window] | None":
        stretch = next(self._stretches, None)
        return None if stretch is None else self._threads.submit(self._fetch.open, stretch)

    def _give_back(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


async def _opened(coming: "Future[Window]") -> Window:
    opened, token = trio.Event(), trio.lowlevel.current_trio_token()

    def wake(_: object) -> None:
        with suppress(trio.RunFinishedError):  # the reader is gone, and its loop
            token.run_sync_soon(opened.set)

    coming.add_done_callback(wake)
    await opened.wait()
    return coming.result()


def _close_opened(coming: "Future[Window]") -> None:
    if not coming.cancelled() and coming.exception() is None:
        coming.result().close()
