"""The whole archive behind the same words as ``cellar.py``: a trio loop in a thread, asked from others."""

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from engine.archive import Archive
from engine.clock import Clock
from engine.house import House
from engine.model import Decided, Origin
from engine.settings import StoreSettings
from engine.store import append
from tests.durability.files import Send
from tests.durability.snapshot import Name, Snapshot, digest

DAY_US = 86_400_000_000


class Ahead(Clock):
    """The machine's clock, so many days ahead: grace passes without waiting. (The log stamps by the machine's own.)"""

    days = 0

    def now_us(self) -> int:
        return super().now_us() + self.days * DAY_US

    def monotonic(self) -> float:
        return super().monotonic() + self.days * DAY_US / 1_000_000


class Whole:
    """An open archive. Thread-safe."""

    together = 1  # that are sent at a time

    def __init__(self, settings: StoreSettings) -> None:
        self._opened = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, args=(settings,), daemon=True)
        self._thread.start()
        self._opened.wait()
        if self._failure:
            raise self._failure

    def hand_in(self, send: Send) -> int:
        """The response of an association waits for the intake alone, not for the index."""
        lsn: int = append(self._archive._house, send.file(), Origin(how="dimse"))
        self._archive._house.intake.wait(lsn)
        return lsn

    def store(self, send: Send) -> str:
        """The outcome."""
        return str(self._ask(self._archive.store, send.file()).outcome)

    def snapshot(self) -> Snapshot:
        return self._ask(self._snapshot)  # type: ignore[no-any-return]

    def delete(self, level: str, keys: dict[str, str]) -> int:
        """How many instances that hides."""
        decided: Decided = self._ask(lambda: self._archive.delete(level, **keys))
        return decided.instance_count

    def restore(self, level: str, keys: dict[str, str]) -> int:
        """How many instances that brings back."""
        decided: Decided = self._ask(lambda: self._archive.restore(level, **keys))
        return decided.instance_count

    def promote(self, name: Name, number: int) -> None:
        """Make the version that stands at this place of the list the current one."""
        versions = self._ask(self._archive.versions, *name)
        self._ask(self._archive.promote, *name, versions[number].key)

    def collect(self, days_ahead: int) -> int:
        """As if so many days had passed."""
        self._clock.days = days_ahead
        try:
            return int(self._ask(self._archive.collect))
        finally:
            self._clock.days = 0

    def changes(self, after: str) -> list[tuple[str, str, str]]:
        """Cursor, kind and study of what the feed tells behind a cursor."""
        return self._ask(self._changes, after)  # type: ignore[no-any-return]

    def verify(self) -> list[str]:
        return self._ask(self._verify)  # type: ignore[no-any-return]

    def reindex(self) -> int:
        return int(self._ask(self._archive.reindex))

    def close(self) -> None:
        trio.from_thread.run_sync(self._closing.set, trio_token=self._token)
        self._thread.join()
        if self._failure:
            raise self._failure

    def _ask(self, work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        return trio.from_thread.run(work, *arguments, trio_token=self._token)

    def _main(self, settings: StoreSettings) -> None:
        try:
            trio.run(self._serve, settings)
        except BaseException as error:  # noqa: BLE001  it belongs to the thread that waits
            self._failure = error
            self._opened.set()

    async def _serve(self, settings: StoreSettings) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._closing = trio.Event()
        self._clock = Ahead()
        house = await trio.to_thread.run_sync(House, settings, self._clock)
        try:
            self._archive = Archive(house)
            await self._stay()
        finally:
            await trio.to_thread.run_sync(house.close)

    async def _stay(self) -> None:
        """Open, until it is to close."""
        self._opened.set()
        await self._closing.wait()

    async def _changes(self, after: str) -> list[tuple[str, str, str]]:
        return [(one.cursor, one.kind, one.study_uid) async for one in self._archive.changes(after)]

    async def _snapshot(self) -> Snapshot:
        instances: dict[tuple[str, str, str], tuple[str, int, str]] = {}
        async for instance in self._archive.fetch():
            name = (instance.study_uid, instance.series_uid, instance.sop_instance_uid)
            assert name not in instances, f"{name} is there twice"
            instances[name] = (instance.key, instance.version_count, digest(instance.file))
        rows = {}
        for level in ("study", "series", "instance"):
            found = [row async for row in self._archive.find(level)]
            rows[level] = sorted(found, key=lambda row: sorted(row.items()))
        status = await self._archive.status()
        return Snapshot(instances, rows, (status.study_count, status.series_count, status.instance_count))

    async def _verify(self) -> list[str]:
        return [str(finding) async for finding in self._archive.verify() if finding.is_damage]
