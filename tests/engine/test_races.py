"""Stores, deletes, restores and promotions of a few instances at once: what the live index says of them is what the
journal folds to, however they interleaved (fact 4)."""

import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

import engine
from engine import Archive, Level, Query
from engine.index import indexer
from tests.protocols.web.studies import file_of, instance

PLACES = [(study, number) for study in (1, 2) for number in (1, 2, 3)]
INSTANCES = {place: instance(place[0], 1, place[1]) for place in PLACES}
FILES = {
    (place, version): file_of(instance(place[0], 1, place[1], PatientComments=f"version {version}"))
    for place in PLACES
    for version in range(3)
}
ACTORS_COUNT, ACTS_COUNT = 6, 50


async def said_of(archive: Archive) -> object:
    """Every row, every version, all that can be restored."""
    rows = [
        sorted([str(sorted(row.items())) async for row in archive.find(level)])
        for level in ("study", "series", "instance")
    ]
    versions = {}
    for place, one in INSTANCES.items():
        try:
            found = await archive.versions(one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID)
        except engine.Missing:
            continue
        versions[place] = [version.key for version in found]
    return rows, versions, sorted(map(str, await archive.deleted(Query(level=Level.INSTANCE))))


class Actor:
    """One of several, with its own chance."""

    def __init__(self, archive: Archive, seed: int) -> None:
        self._archive = archive
        self._chance = random.Random(seed)
        acts: list[Callable[..., Awaitable[object]]] = [self._store, self._delete, self._restore, self._promote]
        self._acts = acts

    async def run(self) -> None:
        for _ in range(ACTS_COUNT):
            try:
                await self._chance.choice(self._acts)(self._chance.choice(PLACES))
            except (engine.Missing, engine.Conflict, engine.Invalid):
                continue
            found = [row["SOPInstanceUID"] async for row in self._archive.find("instance")]
            assert len(set(found)) == len(found) <= len(PLACES)

    async def _store(self, place: tuple[int, int]) -> None:
        await self._archive.store(FILES[place, self._chance.randrange(3)])

    async def _delete(self, place: tuple[int, int]) -> None:
        one = INSTANCES[place]
        keys = {"StudyInstanceUID": one.StudyInstanceUID}
        if self._chance.random() < 0.8:
            keys["SOPInstanceUID"] = one.SOPInstanceUID
        await self._archive.delete("instance", **keys)

    async def _restore(self, place: tuple[int, int]) -> None:
        await self._archive.restore("study", StudyInstanceUID=INSTANCES[place].StudyInstanceUID)

    async def _promote(self, place: tuple[int, int]) -> None:
        one = INSTANCES[place]
        uids = (one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID)
        await self._archive.promote(*uids, self._chance.choice(await self._archive.versions(*uids)).key)


def test_decisions_and_stores_at_once_fold_to_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While rows settle again and again: what is fresh stands in place of what is settled."""
    monkeypatch.setattr(indexer, "FRESH_COUNT_MAX", 20)
    monkeypatch.setattr(indexer, "SUPERSEDED_COUNT_MAX", 3)

    async def work() -> None:
        async with engine.open(str(tmp_path)) as archive:
            async with trio.open_nursery() as actors:
                for seed in range(ACTORS_COUNT):
                    actors.start_soon(Actor(archive, seed).run)
            live = await said_of(archive)
            await archive.reindex()
            assert await said_of(archive) == live
            assert [one async for one in archive.verify() if one.is_damage] == []
        async with engine.open(str(tmp_path)) as archive:
            assert await said_of(archive) == live
        shutil.rmtree(tmp_path / "node" / "index")
        async with engine.open(str(tmp_path)) as archive:
            assert await said_of(archive) == live

    with_deadline(work)


def with_deadline(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(60):
            await work()

    trio.run(bounded)
