"""A damaged journal and no index to answer from: nothing is made up of the rest, unless that is asked for (H70)."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

import engine
from bench.data import Shape, files
from engine import Archive, Corrupt, StoreSettings, Unavailable

SENT = list(files(Shape(studies=2, series=1, instances=1, rows=16, seed=7)))
STUDIES = sorted({file.study_uid for file in SENT})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two studies, each stored by a process of its own; the index is lost."""

    async def store() -> None:
        for study in STUDIES:
            async with engine.open(str(tmp_path)) as archive:
                for file in SENT:
                    if file.study_uid == study:
                        await archive.store(file.data)

    trio.run(store)
    shutil.rmtree(tmp_path / "node" / "index")
    return tmp_path


def entries(root: Path) -> list[Path]:
    """Batches and seals of the journal, in their order, and entries of the writers stream."""
    tenant = root / "archive" / "t" / "default"
    return [path for folder in ("j", "w") for path in sorted((tenant / folder).rglob("*")) if path.is_file()]


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        yield
    finally:
        path.write_bytes(whole)


async def studies(archive: Archive) -> list[str]:
    return sorted([row["StudyInstanceUID"] async for row in archive.find("study")])


async def fetched_count(archive: Archive) -> int:
    """Instances that are given back whole."""
    return len([one async for one in archive.fetch()])


def reading(root: Path) -> StoreSettings:
    return StoreSettings(url=str(root), damaged="read")


def test_h70_the_rest_of_a_damaged_journal_is_read_when_that_is_asked_for(root: Path) -> None:
    batch = entries(root)[2]  # of the second epoch

    async def work() -> None:
        with damaged(batch):
            with pytest.raises(Corrupt, match=f'{batch.name}.*store.damaged = "read"'):
                async with engine.open(str(root)):
                    pass
            for _ in range(2):  # what is left in the folder of the index says no more than it did
                async with engine.open(str(root), reading(root)) as archive:
                    assert await studies(archive) == [study for study in STUDIES if study != STUDIES[1]]
                    assert await fetched_count(archive) == 1
                    found = [one async for one in archive.verify() if one.is_damage]
                    assert [(one.kind, Path(one.key).name) for one in found] == [("journal-damaged", batch.name)]
                    assert batch.name in archive.damage() and archive.trouble() == archive.damage()
                    await nothing_is_taken(archive)
        async with engine.open(str(root), reading(root)) as archive:
            assert archive.damage() == archive.trouble() == ""
            assert await studies(archive) == STUDIES and await fetched_count(archive) == len(SENT)
            assert (await archive.store(SENT[0].data)).outcome == "same"
            assert [one async for one in archive.verify() if one.is_damage] == []

    trio.run(work)


async def nothing_is_taken(archive: Archive) -> None:
    with pytest.raises(Unavailable, match="only read"):
        await archive.store(SENT[1].data)
    with pytest.raises(Unavailable, match="only read"):
        await archive.delete("study", StudyInstanceUID=SENT[0].study_uid)
    with pytest.raises(Unavailable, match="only read"):
        await archive.collect()
    assert len(await studies(archive)) == 1


def test_h70_wherever_the_damage_is_the_rest_is_read_and_a_copy_makes_all_whole(root: Path) -> None:
    """Seals, the last batch and the writers stream too: then the journal is not opened at all."""

    async def work() -> None:
        refused_count = 0
        for path in entries(root):
            shutil.rmtree(root / "node" / "index", ignore_errors=True)
            with damaged(path):
                async with engine.open(str(root), reading(root)) as archive:
                    refused_count += archive.damage() != ""
                    assert set(await studies(archive)) <= set(STUDIES)
                    assert [one async for one in archive.verify() if one.is_damage]
            async with engine.open(str(root)) as archive:
                assert await studies(archive) == STUDIES and await fetched_count(archive) == len(SENT)
        assert refused_count >= 4

    trio.run(work)
