"""A thread that runs trio, and the ways into it for threads that do not."""

import logging
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, ClassVar, Final, Generic, TypeVar

import trio

from engine import Unavailable

log = logging.getLogger("filmroom.portal")
T = TypeVar("T")
R = TypeVar("R")
# What is made ahead of who takes it: a few screens of rows, or one large file and the next.
AHEAD_COUNT_MAX: Final = 64
AHEAD_BYTES_MAX: Final = 16 << 20


def closed() -> Unavailable:
    """What is raised after the end."""
    return Unavailable("the archive is closed")


class Outcome(Generic[R]):
    """What becomes of work in another thread; ``scope`` cancels it. The first word holds."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        """``wake`` hears, in that thread, that it is settled."""
        self.scope = trio.CancelScope()
        self.is_begun = False
        self.settled = threading.Event()
        self._wake = wake
        self._value: R | None = None
        self._error: BaseException | None = None

    @property
    def is_settled(self) -> bool:
        """Whether ``result`` would not wait."""
        return self.settled.is_set()

    def give(self, value: R) -> None:
        """It went well."""
        self._settle(value, None)

    def fail(self, error: BaseException) -> None:
        """It did not."""
        self._settle(None, error)

    def _settle(self, value: R | None, error: BaseException | None) -> None:
        if not self.is_settled:
            self._value, self._error = value, error
            self.settled.set()
            self._wake()

    def result(self) -> R:
        """Wait for it. Raises its error, once, with the frames where it arose below those of who asks."""
        self.settled.wait()
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback holds this frame
        return self._value  # type: ignore[return-value]


class Portal(Generic[T]):
    """A trio loop in a thread of its own, in which one resource is open from the beginning to ``close``. ``name`` says
    to people which."""

    def __init__(self, resource: AbstractAsyncContextManager[T], name: str) -> None:
        """Raises what opening the resource raises."""
        self.name = name
        self._process_id = os.getpid()
        self._opened = Outcome[T]()
        self._closed = Outcome[None]()
        self._unsettled: set[Outcome[Any]] = set()
        self._is_closing = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._thread = threading.Thread(target=self._run, args=(resource,), name="filmroom-archive")
        AtExit.watch(self)
        self._thread.start()
        try:
            self.resource = self._opened.result()
        except BaseException:
            self.stop()
            self._thread.join()
            raise

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._is_closing or self._closed.is_settled

    def call(self, work: Callable[[], Awaitable[R]]) -> R:
        """The result of an async function, in the thread that asks; its error as itself. An interrupt of the waiting
        thread (Ctrl-C) cancels it. Raises Unavailable when the portal is closed, RuntimeError in a forked child."""
        outcome = Outcome[R]()
        try:
            self._start(outcome, work)
            return outcome.result()
        except BaseException:
            if outcome.is_begun and not outcome.is_settled:  # interrupted: until it has let go of what it held
                self._cancel(outcome)
                outcome.settled.wait()
            raise

    def pull(self, items: Callable[[], AsyncIterator[R]], weigh: Callable[[R], int]) -> Iterator[R]:
        """What an async generator yields, made a bounded stretch ahead (``weigh`` tells an item's bytes) once the first
        is asked for. Who stops early ends it. Raises as ``call``."""
        stream = Stream(weigh)
        try:
            self._start(stream.outcome, lambda: stream.fill(items()))
            while True:
                self._check_process()
                taken = stream.take()
                if taken is None:
                    break
                item, room = taken
                if room is not None:
                    self._soon(room.set)
                yield item
            stream.outcome.result()
        finally:
            if stream.outcome.is_begun and not stream.outcome.is_settled:
                self._cancel(stream.outcome)

    def stop(self) -> None:
        """Ask it to end, without waiting."""
        self._is_closing = True
        if os.getpid() == self._process_id:
            self._soon(self._end)

    def close(self) -> None:
        """End what runs, close the resource and wait for that; again: nothing. Raises what closing raises."""
        self._check_process()
        self.stop()
        self._thread.join()
        self._closed.result()

    def check(self) -> None:
        """Raises Unavailable when it is closed, RuntimeError where it cannot be used."""
        self._check_process()
        if threading.get_ident() == self._thread.ident:
            raise RuntimeError("called from the archive's own loop, which would wait for itself")
        if self.is_closed:
            raise closed()

    def _check_process(self) -> None:
        if os.getpid() != self._process_id:
            raise RuntimeError(
                f"this archive was opened by process {self._process_id} before a fork, and its threads are not here: "
                "use it in that process alone, and start others with multiprocessing's spawn"
            )

    def _start(self, outcome: Outcome[R], work: Callable[[], Awaitable[R]]) -> None:
        self.check()

        def begin() -> None:
            if self._is_closing or self._nursery is None:
                outcome.fail(closed())
            else:
                self._unsettled.add(outcome)
                self._nursery.start_soon(self._settle, outcome, work)

        outcome.is_begun = True
        if not self._soon(begin):
            outcome.fail(closed())

    def _cancel(self, outcome: Outcome[Any]) -> None:
        def end() -> None:
            outcome.scope.cancel()
            if outcome not in self._unsettled:  # the interrupt came before it had been begun
                outcome.fail(closed())

        self._soon(end)

    def _soon(self, work: Callable[[], object]) -> bool:
        """In the loop, soon; False: it has ended."""
        try:
            if self._token is not None:
                self._token.run_sync_soon(work)
        except trio.RunFinishedError:
            return False
        return self._token is not None

    def _end(self) -> None:
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def _run(self, resource: AbstractAsyncContextManager[T]) -> None:
        try:
            trio.run(self._main, resource)
        except BaseException as error:  # noqa: BLE001  # raised again, in the thread that waits
            self._opened.fail(error)
            self._closed.fail(error)
        finally:
            self._closed.give(None)
            for outcome in self._unsettled:
                outcome.fail(closed())
            AtExit.forget(self)

    async def _main(self, resource: AbstractAsyncContextManager[T]) -> None:
        async with resource as opened, trio.open_nursery() as nursery:
            self._nursery, self._token = nursery, trio.lowlevel.current_trio_token()
            if self._is_closing:
                return
            self._opened.give(opened)
            await trio.sleep_forever()

    async def _settle(self, outcome: Outcome[R], work: Callable[[], Awaitable[R]]) -> None:
        with outcome.scope:
            try:
                outcome.give(await work())
            except trio.Cancelled:
                outcome.fail(closed())
                raise
            except BaseException as error:  # noqa: BLE001  # raised again, in the thread that waits
                outcome.fail(error)
            finally:
                self._unsettled.discard(outcome)


class Stream(Generic[R]):
    """A bounded queue from a task to a thread."""

    def __init__(self, weigh: Callable[[R], int]) -> None:
        self.outcome = Outcome[None](self._wake)
        self._weigh = weigh
        self._changed = threading.Condition()
        self._items: deque[R] = deque()
        self._bytes = 0
        self._room: trio.Event | None = None

    async def fill(self, items: AsyncIterator[R]) -> None:
        """Until the async generator ends; while the queue is full, it rests."""
        generator: Any = items  # which are annotated as iterators
        async with aclosing(generator):
            async for item in items:
                if (room := self._put(item)) is not None:
                    await room.wait()

    def take(self) -> tuple[R, trio.Event | None] | None:
        """The next item, and an event to set in the loop when there is room again; None: the task has ended."""
        with self._changed:
            while not self._items:
                if self.outcome.is_settled:
                    return None
                self._changed.wait()
            item = self._items.popleft()
            self._bytes -= self._weigh(item)
            if len(self._items) > AHEAD_COUNT_MAX // 2 or self._bytes > AHEAD_BYTES_MAX // 2:
                return item, None
            room, self._room = self._room, None
            return item, room

    def _put(self, item: R) -> trio.Event | None:
        with self._changed:
            self._items.append(item)
            self._bytes += self._weigh(item)
            self._changed.notify()
            if len(self._items) >= AHEAD_COUNT_MAX or self._bytes >= AHEAD_BYTES_MAX:
                self._room = trio.Event()
            return self._room

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()


class AtExit:
    """Closes portals that nobody closed: when the main thread ends, before the interpreter waits for theirs. (An
    ``atexit`` function comes too late: from Python 3.12 on no thread can be started then.)"""

    _lock: ClassVar = threading.Lock()
    _open: ClassVar[set[Portal[Any]]] = set()
    _thread: ClassVar[threading.Thread | None] = None

    @classmethod
    def watch(cls, portal: Portal[Any]) -> None:
        """It is open from now on."""
        with cls._lock:
            cls._open.add(portal)
            if cls._thread is None or not cls._thread.is_alive():  # none lives on in a forked child
                cls._thread = threading.Thread(target=cls._wait, name="filmroom-exit")
                cls._thread.start()

    @classmethod
    def forget(cls, portal: Portal[Any]) -> None:
        """It has ended."""
        with cls._lock:
            cls._open.discard(portal)

    @classmethod
    def has(cls, name: str) -> bool:
        """Whether this process has an open one of that name."""
        with cls._lock:
            return any(portal.name == name and not portal.is_closed for portal in cls._open)

    @classmethod
    def _wait(cls) -> None:
        threading.main_thread().join()
        with cls._lock:
            still_open = tuple(cls._open)
        for portal in still_open:
            try:
                portal.close()
            except Exception:
                log.exception("an archive that was left open did not close in order")
