"""Answers whose next pages may still be asked for.

A page token names an answer by a number that nobody can guess, and a place in it. It holds for the question that it was
given for, for a while, and while there is room; then the caller is told to ask again.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from engine.clock import Clock, Identifiers
from engine.errors import Invalid
from engine.index.schema import Row
from engine.model import Query

KEPT_COUNT_MAX: Final = 64  # a few dozen viewers turn pages at a time
KEPT_BYTES_MAX: Final = 256 << 20  # an answer keeps its view, and with it rows that have settled since
KEPT_SECONDS_MAX: Final = 600.0  # since it was last asked for


class Seen(Protocol):
    """What a view tells of its size."""

    fresh_bytes: int

    def is_fresh(self, row: Row) -> bool: ...


V = TypeVar("V", bound=Seen)


class Answer(Generic[V]):
    """One answer in order. ``rows`` None: they are still to be gathered from the view."""

    def __init__(self, view: V, question: Query, rows: Sequence[Row] | None) -> None:
        self.view = view
        self.question = bare(question)
        self.rows = rows
        self.asked_at = 0.0

    @property
    def bytes(self) -> int:
        """About what is kept beside the view."""
        return sum(8 if self.view.is_fresh(row) else row.held_bytes for row in self.rows or ())


class Pages(Generic[V]):
    """The answers of one index that are kept for their next pages. Any thread may ask."""

    def __init__(self, clock: Clock, identifiers: Identifiers) -> None:
        self._clock = clock
        self._identifiers = identifiers
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, Answer[V]] = OrderedDict()
        self._sizes: dict[str, int] = {}

    def token(self, name: str, offset: int) -> str:
        """Names a place in a kept answer."""
        return f"{name}-{offset}"

    def keep(self, answer: Answer[V]) -> str:
        """The name of an answer; those that were not asked for the longest time go when there are too many."""
        name = self._identifiers.random_id()
        with self._lock:
            self._answers[name] = answer
        self.touch(name, answer)
        return name

    def touch(self, name: str, answer: Answer[V]) -> None:
        """The answer was asked for, and may hold more rows than before."""
        size = answer.bytes
        with self._lock:
            if name in self._answers:
                answer.asked_at = self._clock.monotonic()
                self._sizes[name] = size
                self._answers.move_to_end(name)
            while self._answers and self._is_too_much():
                old, _ = self._answers.popitem(last=False)
                self._sizes.pop(old, None)

    def resume(self, token: str, question: Query) -> tuple[str, Answer[V], int]:
        """The answer that a token names, and the place. Raises Invalid: no token, another question's, or expired."""
        name, dash, digits = token.partition("-")
        if not dash or not digits.isascii() or not digits.isdigit() or len(digits) > 12:
            raise Invalid("this is no page token")
        with self._lock:
            answer = self._answers.get(name)
            expired = answer is None or self._clock.monotonic() - answer.asked_at > KEPT_SECONDS_MAX
        if answer is None or expired:
            raise Invalid("page expired: ask again from the beginning")
        if answer.question != bare(question):
            raise Invalid("this page token was given for another question")
        return name, answer, int(digits)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._answers.clear()
            self._sizes.clear()

    @property
    def bytes(self) -> int:
        """About what the kept answers take, each view counted once."""
        views = {id(answer.view): answer.view.fresh_bytes for answer in self._answers.values()}
        return sum(views.values()) + sum(self._sizes.values())

    def _is_too_much(self) -> bool:
        oldest = next(iter(self._answers.values()))
        is_old = self._clock.monotonic() - oldest.asked_at > KEPT_SECONDS_MAX
        return is_old or len(self._answers) > KEPT_COUNT_MAX or (len(self._answers) > 1 and self.bytes > KEPT_BYTES_MAX)


def bare(question: Query) -> Query:
    """The question without what pages of one answer may differ in."""
    return msgspec.structs.replace(question, page="", limit=None, offset=0)
