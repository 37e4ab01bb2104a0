"""The trial's side of ``host.py``: boots an archive in a child, commands it, kills it. Every wait has a bound."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Final

from tests.durability import host, recorder
from tests.durability.files import Send
from tests.durability.host import Order
from tests.durability.snapshot import Snapshot

WAIT_SECONDS: Final = 60.0
REFUSES: Final = 3  # exit status of a child that says why it cannot go on


class Died(Exception):
    """The child is gone, or has said that it cannot go on."""


class Refused(Exception):
    """The archive answered with an error."""


class Crashed(AssertionError):
    """The child ended by an error that is none of the engine's own."""


class Hangs(AssertionError):
    """The child does not answer within the bound: a defect, whatever else is true."""


class Node:
    """One child with one open archive."""

    def __init__(self, order: Order) -> None:
        context = fork_server()
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=host.run, args=(theirs, order), daemon=True)
        self._process.start()
        theirs.close()
        self.acknowledged: list[int] = []

    def __enter__(self) -> "Node":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def opened(self) -> "Node":
        """Waits until the archive is open. Raises ``Died``, ``Refused``."""
        assert self._answer() == "opened"
        return self

    def ask(self, command: str, *arguments: Any) -> Any:
        """One command and its answer. Raises ``Died``, ``Refused``, ``Hangs``."""
        self.tell(command, *arguments)
        return self._answer()

    def tell(self, command: str, *arguments: Any) -> None:
        try:
            self._connection.send((command, *arguments))
        except OSError as error:
            raise Died(self._ended()) from error

    def load(self, sends: list[Send], kill_after: int | None = None, first: int = 0) -> list[tuple[int, str]]:
        """Sends all, or kills at the given count of acknowledgements. What was refused. Raises ``Died``.

        The indices that come back count from ``first``.
        """
        self.tell("load", sends, first)
        return self._answer(kill_after)  # type: ignore[no-any-return]

    def snapshot(self) -> Snapshot:
        return self.ask("snapshot")  # type: ignore[no-any-return]

    def close(self) -> None:
        """An orderly end."""
        assert self.ask("close") == "closed"
        self._process.join(WAIT_SECONDS)
        assert self._process.exitcode == 0, f"the child ended with {self._process.exitcode}"
        self._connection.close()

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join(WAIT_SECONDS)
        self._connection.close()
        if self._process.exitcode not in (0, REFUSES, -signal.SIGKILL):
            raise Crashed(f"the child ended with {self._process.exitcode}: an error that nobody meant")

    def drain(self) -> None:
        """Takes in the promises that were still in the pipe when the child was killed."""
        try:
            while self._connection.poll(0):
                self._take(self._connection.recv())
        except (EOFError, OSError):
            return

    def _answer(self, kill_after: int | None = None) -> Any:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                if not self._connection.poll(max(0.0, deadline - time.monotonic())):
                    self.kill()
                    raise Hangs(f"no answer within {WAIT_SECONDS:.0f} s")
                words = self._connection.recv()
            except (EOFError, OSError) as error:
                raise Died(self._ended()) from error
            if words[0] == "failed":
                raise Refused(f"{words[1]}: {words[2]}")
            if words[0] == "done":
                return words[1]
            self._take(words)
            if kill_after is not None and len(self.acknowledged) >= kill_after:
                self._process.kill()
                self._process.join(WAIT_SECONDS)
                self.drain()
                raise Died("killed by the trial")

    def _take(self, words: tuple[Any, ...]) -> None:
        if words[0] == "acknowledged":
            self.acknowledged.append(words[1])

    def _ended(self) -> str:
        self._process.join(WAIT_SECONDS)
        if self._process.is_alive():
            raise Hangs("the child has closed its pipe and does not end")
        return f"the child ended with {self._process.exitcode}"


@contextmanager
def booted(root: Path, **order: Any) -> Iterator[Node]:
    """A node with its archive open; killed at the end unless it was closed."""
    with Node(Order(root=str(root), **order)) as node:
        yield node.opened()


def fork_server() -> Any:
    """A fork server with the recorder preloaded and the engine imported: a boot costs a fork."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.durability.preload"])
    before = os.environ.get("LD_PRELOAD")
    os.environ["LD_PRELOAD"] = str(recorder.shared_object())
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["LD_PRELOAD"]
        else:
            os.environ["LD_PRELOAD"] = before
    return context
