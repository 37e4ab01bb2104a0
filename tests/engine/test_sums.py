"""What studies and series hold is kept with their rows: right after every store and decision, and when folded anew."""

import random

import pytest
import trio

import engine
from engine.model import Key, Level, Query
from tests.protocols.web.studies import ROOT, file_of, instance


def other(study: int, series: int = 1, number: int = 1, **keywords: object) -> bytes:
    return file_of(instance(study, series, number, **keywords))


async def seen(archive: engine.Archive, level: Level = Level.STUDY) -> dict[str, tuple[int, int, int]]:
    found = await archive.answer(Query(level=level))
    return {
        one.series_uid or one.study_uid: (one.sums.size_bytes, one.sums.several_count, one.sums.elsewhere_count)
        for one in found.matches
    }


async def changed(archive: engine.Archive) -> dict[str, int]:
    found = await archive.answer(Query(level=Level.STUDY))
    return {one.study_uid: one.sums.changed_us for one in found.matches}


async def oracle(archive: engine.Archive) -> dict[str, tuple[int, int, int]]:
    """Counted from every instance."""
    instances = await archive.instances(Query(level=Level.INSTANCE))
    uids = [one.sop_instance_uid for one in instances]
    found: dict[str, tuple[int, int, int]] = {}
    for one in instances:
        size, several, elsewhere = found.get(one.study_uid, (0, 0, 0))
        found[one.study_uid] = (
            size + one.size_bytes,
            several + (one.version_count > 1),
            elsewhere + (uids.count(one.sop_instance_uid) > 1),
        )
    return found


def test_a_study_knows_its_size_its_versions_and_its_conflicts() -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:
            one = (await archive.store(other(1))).instance
            two = (await archive.store(other(1, 2, 1, SeriesDescription="another"))).instance
            assert await seen(archive) == {one.study_uid: (one.size_bytes + two.size_bytes, 0, 0)}
            assert await seen(archive, Level.SERIES) == {
                one.series_uid: (one.size_bytes, 0, 0),
                two.series_uid: (two.size_bytes, 0, 0),
            }
            longer = (await archive.store(other(1, StudyDescription="of other content"))).instance
            assert (await seen(archive))[one.study_uid] == (one.size_bytes + two.size_bytes, 1, 0)
            await archive.promote(one.study_uid, one.series_uid, one.sop_instance_uid, longer.key)
            assert (await seen(archive))[one.study_uid] == (longer.size_bytes + two.size_bytes, 1, 0)
            twin = (await archive.store(other(2, SOPInstanceUID=two.sop_instance_uid))).instance
            assert {each[2] for each in (await seen(archive)).values()} == {1}
            await archive.delete(StudyInstanceUID=twin.study_uid)
            assert (await seen(archive)) == {one.study_uid: (longer.size_bytes + two.size_bytes, 1, 0)}
            await archive.restore(StudyInstanceUID=twin.study_uid)
            assert {each[2] for each in (await seen(archive)).values()} == {1}

    trio.run(work)


def test_the_last_change_is_that_of_whatever_happened_last() -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:
            await archive.store(other(1))
            gone = (await archive.store(other(1, 2))).instance
            before = await changed(archive)
            await archive.delete("series", SeriesInstanceUID=gone.series_uid)
            after = await changed(archive)
            assert after[gone.study_uid] > before[gone.study_uid]
            await archive.reindex()
            assert await changed(archive) == after

    trio.run(work)


@pytest.mark.parametrize("seed", range(6))
def test_kept_sums_are_what_counting_gives_and_folding_anew_makes_the_same(seed: int) -> None:
    chance = random.Random(seed)

    async def work() -> None:
        async with engine.open("memory://") as archive:
            for _ in range(40):
                study, series, number = (chance.randint(1, 3) for _ in range(3))
                uid = f"{ROOT}.9.{chance.randint(1, 6)}"
                match chance.randint(0, 9):
                    case 0:
                        await archive.delete(StudyInstanceUID=f"{ROOT}.{study}")
                    case 1:
                        await archive.restore(StudyInstanceUID=f"{ROOT}.{study}")
                    case 2:
                        await archive.delete("instance", SOPInstanceUID=uid)
                    case 3:
                        await archive.reindex()
                    case _:
                        note = "x" * chance.randint(1, 3)
                        await archive.store(other(study, series, number, SOPInstanceUID=uid, ImageComments=note))
                assert await seen(archive) == await oracle(archive)
            kept = (await seen(archive), await seen(archive, Level.SERIES), await changed(archive))
            await archive.reindex()
            assert (await seen(archive), await seen(archive, Level.SERIES), await changed(archive)) == kept

    trio.run(work)


def test_sums_survive_a_restart(tmp_path: object) -> None:
    async def work() -> None:
        async with engine.open(str(tmp_path)) as archive:
            await archive.store(other(1))
            await archive.store(other(2, SOPInstanceUID=f"{ROOT}.1.1.1"))
            await archive.store(other(3))
            await archive.delete(StudyInstanceUID=f"{ROOT}.3")
            kept = (await seen(archive), await changed(archive))
        async with engine.open(str(tmp_path)) as archive:
            assert (await seen(archive), await changed(archive)) == kept
            await archive.restore(StudyInstanceUID=f"{ROOT}.3")
            await archive.delete("instance", SOPInstanceUID=f"{ROOT}.1.1.1", StudyInstanceUID=f"{ROOT}.2")
            assert await seen(archive) == await oracle(archive)

    trio.run(work)


def test_several_versions_and_what_was_deleted_are_listed() -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:
            one = (await archive.store(other(1))).instance
            await archive.store(other(1, StudyDescription="second"))
            await archive.store(other(1, 1, 2))
            (found,) = await archive.several(one.study_uid)
            assert found.sop_instance_uid == one.sop_instance_uid
            assert [version.is_current for version in found.versions] == [True, False]
            with pytest.raises(engine.Missing):
                await archive.several("1.2.3")
            assert await archive.deleted(Query(level=Level.STUDY)) == []
            await archive.delete("instance", SOPInstanceUID=one.sop_instance_uid)
            (gone,) = await archive.deleted(Query(level=Level.STUDY))
            sizes = sum(version.size_bytes for version in found.versions)
            assert (gone.study_uid, gone.series_count, gone.instance_count) == (one.study_uid, 1, 1)
            assert gone.size_bytes == sizes
            assert gone.until_us > gone.deleted_us
            named = Query(level=Level.STUDY, keys=(Key("00100020", ("PID002",)),))
            assert await archive.deleted(named) == []

    trio.run(work)
