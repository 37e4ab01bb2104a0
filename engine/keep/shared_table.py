"""A small table that any node may change and each sees alike: names and bytes, kept as a numbered stream of changes.

An entry holds rows: a name with its new body, or without one when it is gone; the last entry that names a row counts.
Who wins the next number has read all before it, so what he decides by (``append``) is what was true at that moment: of
two that claim one thing, one wins, on whatever nodes they are. Who loses reads the winner and decides anew.

Entries are durable before ``append`` returns. What is left of the oldest entries is carried to the end now and then;
the entry that does it says from which number on (its *floor*) entries count, and those below are removed, the lowest
first, the newest never. So there is no hole from the floor on, and whoever has fallen behind what was removed, or wrote
under a number that was removed, sees it: the entry before is not there any more.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from engine.clock import Clock, Identifiers
from engine.errors import Conflict, Corrupt, Missing, Unavailable
from engine.keep.formats import Row, TableHead, decode_table_entry, encode_table_entry
from engine.keep.objects import ObjectStore
from engine.keep.paths import numbered, parse_number
from engine.limits import LIMITS, Limits


class Folded(Protocol):
    """What the rows amount to; it is told of each in order."""

    def clear(self) -> None: ...

    def take(self, name: str, body: bytes | None) -> None: ...


Decide = Callable[[], Mapping[str, bytes | None]]


class _Doubt(msgspec.Struct):
    """Attempts left of one append, and the nonce by which its entry is known again."""

    nonce: str
    attempts: int


class SharedTable:
    """What this process has read of one table. Blocking; for one thread at a time."""

    def __init__(
        self,
        store: ObjectStore,
        prefix: str,
        clock: Clock,
        identifiers: Identifiers,
        folded: Folded,
        limits: Limits = LIMITS,
    ) -> None:
        """Reads all of it. Raises Unavailable, Corrupt."""
        self._store = store
        self._prefix = prefix
        self._clock = clock
        self._identifiers = identifiers
        self._folded = folded
        self._limits = limits
        self._number = 0
        self._floor = 1
        self._counts: dict[int, int] = {}  # of each entry that is there: its rows
        self._placed: dict[str, int] = {}  # of each row that is there: the entry that counts
        self._row_count = 0
        self._awaited = ""  # nonce of the entry that is being appended, until it is seen
        self._reload()
        if self._number:  # who wrote it may have died before its name was durable, and others will be told that it is
            key = self._key(self._number)
            store.put(key, [store.get(key)], durable=True)

    @property
    def entry_count(self) -> int:
        """Entries that are there."""
        return len(self._counts)

    def refresh(self) -> None:
        """Reads what others wrote. Raises Unavailable, Corrupt."""
        before = self._number
        while (entry := self._read(self._number + 1)) is not None:
            self._take(*entry)
        # Were it gone, what was read behind it may stand under a removed number, of somebody who woke too late.
        if before and not self._store.exists(self._key(before)):
            self._reload()

    def append(self, decide: Decide, floor: int = 0) -> None:
        """One more entry, of the rows that ``decide`` makes of what is known (none: nothing is written). It is asked
        again when another node was first; what it raises goes to the caller. With a ``floor`` one is written in any
        case. Raises Unavailable: nobody knows."""
        doubt = _Doubt(self._identifiers.random_id(), self._limits.append_attempts_max)
        self._awaited = doubt.nonce
        for _ in range(self._limits.stream_races_max):
            self.refresh()
            if not self._awaited:  # an earlier try of mine came through late
                return
            rows = decide()
            if not (rows or floor) or self._write(list(rows.items()), doubt, max(floor, self._floor)):
                return
        raise Unavailable("other nodes write the worklist without end")

    def clean(self, *, everything: bool = False) -> None:
        """Carries on what the oldest entries still mean, and removes them; ``everything``: all there is now, so that
        nothing of a row that is gone stays behind."""
        last = self._number
        while self._is_due() or (everything and self._row_count > len(self._placed)):
            numbers = [number for number in sorted(self._counts) if number < self._number and number <= last]
            if numbers:
                self._clean(numbers[: self._limits.table_cleaned_entries_count])
            if not numbers or not everything:
                return

    def _is_due(self) -> bool:
        return self._row_count > 2 * len(self._placed) + self._limits.table_slack_rows_max

    def _clean(self, numbers: Sequence[int]) -> None:
        def left() -> dict[str, bytes | None]:
            entries = [(number, self._read(number)) for number in numbers]
            rows = [(number, *row) for number, entry in entries if entry is not None for row in entry[1]]
            return {name: body for number, name, body in rows if self._placed.get(name) == number and body is not None}

        self.append(left, numbers[-1] + 1)
        for number in numbers:
            self._store.delete(self._key(number))
            self._row_count -= self._counts.pop(number, 0)

    def _write(self, rows: list[Row], doubt: _Doubt, floor: int) -> bool:
        """False: decide anew."""
        number = self._number + 1
        head = TableHead(number=number, floor=floor, nonce=doubt.nonce, written_us=self._clock.now_us())
        try:
            self._store.create(self._key(number), [encode_table_entry(head, rows)], durable=True)
        except (Conflict, Unavailable) as error:
            found = self._read(number)
            if found is None:
                doubt.attempts -= 1
                if not doubt.attempts:
                    raise Unavailable(f"the worklist cannot be written: {error}") from error
                return False
            if found[0].nonce != doubt.nonce:
                return False
            head, rows = found
        if number > 1 and self._number and not self._store.exists(self._key(self._number)):
            self._store.delete(self._key(number))  # it stands where entries were removed: nobody will read it
            self._reload()
            return False
        self._take(head, rows)
        return True

    def _reload(self) -> None:
        for _ in range(self._limits.append_attempts_max):
            self._number, self._row_count = 0, 0
            self._counts.clear()
            self._placed.clear()
            self._folded.clear()
            numbers = [parse_number(key) for key in self._store.list(self._prefix)]
            newest = self._read(numbers[-1]) if numbers else None
            if numbers and newest is None:
                continue
            self._floor = newest[0].floor if newest is not None else 1
            there = [number for number in numbers if number >= self._floor]
            if numbers and there != list(range(self._floor, numbers[-1] + 1)):
                raise Corrupt(f"entries of {self._prefix} are missing")
            for number in numbers[: len(numbers) - len(there)]:
                self._store.delete(self._key(number))
            if all(self._take_one(number) for number in there):
                return
        raise Unavailable("the worklist is cleaned faster than it can be read")

    def _take_one(self, number: int) -> bool:
        entry = self._read(number)
        if entry is not None:
            self._take(*entry)
        return entry is not None

    def _read(self, number: int) -> tuple[TableHead, list[Row]] | None:
        key = self._key(number)
        try:
            head, rows = decode_table_entry(self._store.get(key))
        except Missing:
            return None
        except Corrupt as error:
            raise Corrupt(f"{key}: {error}") from error
        if head.number != number:
            raise Corrupt(f"{key} holds an entry that belongs elsewhere")
        return head, rows

    def _take(self, head: TableHead, rows: Sequence[Row]) -> None:
        self._number, self._floor = head.number, head.floor
        self._counts[head.number] = len(rows)
        self._row_count += len(rows)
        if head.nonce == self._awaited:
            self._awaited = ""
        for name, body in rows:
            if body is None:
                self._placed.pop(name, None)
            else:
                self._placed[name] = head.number
            self._folded.take(name, body)

    def _key(self, number: int) -> str:
        return numbered(self._prefix, number)
