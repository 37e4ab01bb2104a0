"""Delete, restore, promote, collect on a whole archive: what is found, what is kept, what may go."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

import engine
from bench.data import File, Shape, files
from engine import Archive, StoreSettings
from engine.clock import Clock, ManualClock
from engine.house import House

SHAPE = Shape(studies=2, series=2, instances=3, rows=32, seed=5)
DAY = 86_400.0


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(60):
            await work()

    trio.run(bounded)


@asynccontextmanager
async def opened(url: str, clock: ManualClock | None = None, **settings: int) -> AsyncIterator[Archive]:
    """An archive whose time is ours."""
    house = House(StoreSettings(url=url, **settings), clock)
    try:
        yield Archive(house)
    finally:
        house.close()


async def stored(archive: Archive, shape: Shape = SHAPE) -> list[File]:
    sent = list(files(shape))
    for one in sent:
        await archive.store(one.data)
    return sent


async def shown(archive: Archive) -> set[str]:
    return {one.sop_instance_uid async for one in archive.fetch()}


async def counts(archive: Archive) -> tuple[int, int, int]:
    status = await archive.status()
    return status.study_count, status.series_count, status.instance_count


def other(file: File) -> bytes:
    """Other content under the same UID."""
    return file.data[:-2] + bytes([file.data[-2] ^ 1, file.data[-1]])


@pytest.fixture(params=["memory", "folder"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else str(tmp_path / "archive")


def test_what_is_deleted_is_gone_at_every_level_and_comes_back_byte_for_byte(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            sent = await stored(archive)
            before = {one.sop_instance_uid: one.file async for one in archive.fetch()}
            rows = [row async for row in archive.find()]
            study = sent[0].study_uid
            done = await archive.delete(StudyInstanceUID=study, reason="sent to the wrong archive")
            assert (done.study_count, done.instance_count) == (1, 6)
            assert await counts(archive) == (1, 2, 6)
            assert await shown(archive) == {one.sop_instance_uid for one in sent if one.study_uid != study}
            for level in ("study", "series", "instance"):
                assert [row async for row in archive.find(level, StudyInstanceUID=study)] == []
            assert [finding async for finding in archive.verify()] == []
            back = await archive.restore(StudyInstanceUID=study)
            assert (back.study_count, back.instance_count) == (1, 6)
            assert await counts(archive) == (2, 4, 12)
            assert {one.sop_instance_uid: one.file async for one in archive.fetch()} == before
            assert [row async for row in archive.find()] == rows
            assert [finding async for finding in archive.verify()] == []

    run(work)


def test_a_series_or_an_instance_alone_and_the_counts_follow(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            sent = await stored(archive)
            await archive.delete("instance", SOPInstanceUID=sent[0].sop_instance_uid)
            assert await counts(archive) == (2, 4, 11)
            await archive.delete("series", SeriesInstanceUID=sent[0].series_uid)
            assert await counts(archive) == (2, 3, 9)
            (row,) = [row async for row in archive.find(StudyInstanceUID=sent[0].study_uid)]
            assert (row["NumberOfStudyRelatedSeries"], row["NumberOfStudyRelatedInstances"]) == ("1", "3")
            await archive.restore("instance", SOPInstanceUID=sent[1].sop_instance_uid)
            assert await counts(archive) == (2, 4, 10)

    run(work)


def test_a_uid_of_a_lower_level_is_never_passed_over(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            one = (await stored(archive))[0]
            patient = [row["PatientID"] async for row in archive.find(StudyInstanceUID=one.study_uid)]
            done = await archive.delete(PatientID=patient, SOPInstanceUID=one.sop_instance_uid)
            assert done.instance_count == 1
            done = await archive.delete("series", PatientID=patient, SeriesInstanceUID=one.series_uid)
            assert done.instance_count == 2
            assert await counts(archive) == (2, 3, 9)

    run(work)


def test_nothing_is_deleted_without_a_key_and_nothing_matches_nothing() -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:
            await stored(archive)
            with pytest.raises(engine.Invalid):
                await archive.delete()
            with pytest.raises(engine.Invalid):
                await archive.restore(PatientID="")
            for empty in ("\\", " ", "\0"):
                with pytest.raises(engine.Invalid):
                    await archive.delete(PatientID=empty)
            for never in ("SpecificCharacterSet", "NumberOfPatientRelatedStudies", "RetrieveURL"):
                with pytest.raises(engine.Invalid):
                    await archive.delete(**{never: "1"})
                with pytest.raises(engine.Invalid, match="chooses nothing"):
                    await archive.delete(**{never: "1", "PatientID": "PID*"})
            assert (await archive.delete(PatientID="nobody")).lsn == 0
            assert await counts(archive) == (2, 4, 12)

    run(work)


@pytest.mark.parametrize("lost", ["nothing", "index", "node"])
def test_a_delete_survives_a_restart_and_the_loss_of_what_is_derived(tmp_path: Path, lost: str) -> None:
    import shutil

    async def work() -> None:
        url = str(tmp_path / "archive")
        async with engine.open(url) as archive:
            sent = await stored(archive)
            await archive.delete(StudyInstanceUID=sent[0].study_uid)
            await archive.delete("instance", SOPInstanceUID=sent[-1].sop_instance_uid)
            await archive.restore("instance", SOPInstanceUID=sent[1].sop_instance_uid)
            expected = await shown(archive)
        if lost != "nothing":
            shutil.rmtree(tmp_path / "archive" / "node" / ("index" if lost == "index" else ""))
        async with engine.open(url) as archive:
            assert await shown(archive) == expected
            assert len(expected) == 6
            assert [finding async for finding in archive.verify()] == []
            assert (await archive.restore(StudyInstanceUID=sent[0].study_uid)).instance_count == 5
            await archive.reindex()
            assert await counts(archive) == (2, 4, 11)

    run(work)


def test_sent_again_after_a_delete_it_is_new_and_a_restore_makes_it_no_second_one(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            one = next(files(SHAPE))
            await archive.store(one.data)
            await archive.delete(StudyInstanceUID=one.study_uid)
            again = await archive.store(one.data)
            assert (again.outcome, again.instance.key[32:]) == ("new", "~1")
            assert await counts(archive) == (1, 1, 1)
            await archive.restore(StudyInstanceUID=one.study_uid)
            assert await counts(archive) == (1, 1, 1)
            assert [finding async for finding in archive.verify()] == []

    run(work)


def test_versions_are_listed_and_one_is_promoted(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            one = next(files(SHAPE))
            name = (one.study_uid, one.series_uid, one.sop_instance_uid)
            first = (await archive.store(one.data)).instance.key
            second = (await archive.store(other(one))).instance.key
            assert [(v.key, v.is_current) for v in await archive.versions(*name)] == [(first, True), (second, False)]
            await archive.promote(*name, second)
            assert [(v.key, v.is_current) for v in await archive.versions(*name)] == [(second, True), (first, False)]
            (fetched,) = [one async for one in archive.fetch()]
            assert (fetched.key, fetched.version_count) == (second, 2)
            with pytest.raises(engine.Missing):
                await archive.promote(*name, "f" * 32)
            await archive.reindex()
            assert [v.key for v in await archive.versions(*name)] == [second, first]
            assert [finding async for finding in archive.verify()] == []

    run(work)


def test_bytes_go_after_the_grace_and_only_then(tmp_path: Path) -> None:
    async def work() -> None:
        url, clock = str(tmp_path / "archive"), ManualClock(Clock().now_us())  # the log stamps by the machine's clock
        async with opened(url, clock, grace_days=30) as archive:
            sent = await stored(archive)
            objects = lambda: sum(1 for _ in (tmp_path / "archive" / "archive" / "t").rglob("*.dcm"))  # noqa: E731
            await archive.delete(StudyInstanceUID=sent[0].study_uid)
            clock.advance(29 * DAY)
            assert await archive.collect() == 0
            await archive.restore("instance", SOPInstanceUID=sent[0].sop_instance_uid)
            clock.advance(2 * DAY)
            assert await archive.collect() == 5
            assert await archive.collect() == 0
            assert objects() == 7
            assert (await archive.restore(StudyInstanceUID=sent[0].study_uid)).instance_count == 0
            assert await counts(archive) == (2, 3, 7)
            assert [finding async for finding in archive.verify()] == []
        async with opened(url, clock) as archive:
            assert await counts(archive) == (2, 3, 7)
            assert (await archive.store(sent[1].data)).outcome == "new"
            assert [finding async for finding in archive.verify()] == []

    run(work)


def test_what_came_again_keeps_its_own_bytes_when_the_deleted_ones_are_collected(tmp_path: Path) -> None:
    async def work() -> None:
        clock = ManualClock(Clock().now_us())  # the log stamps by the machine's clock
        async with opened(str(tmp_path / "archive"), clock, grace_days=1) as archive:
            one = next(files(SHAPE))
            await archive.store(one.data)
            await archive.delete(StudyInstanceUID=one.study_uid)
            await archive.store(one.data)
            clock.advance(2 * DAY)
            assert await archive.collect() == 1
            assert await shown(archive) == {one.sop_instance_uid}
            assert [finding async for finding in archive.verify()] == []

    run(work)


def test_a_clock_that_is_set_forward_ends_no_grace_and_no_retention(tmp_path: Path) -> None:
    async def work() -> None:
        now_us = Clock().now_us()  # the log stamps by the machine's clock
        clock = ManualClock(now_us)
        async with opened(str(tmp_path / "archive"), clock, grace_days=30, retention_days=0) as archive:
            sent = await stored(archive)
            await archive.delete(StudyInstanceUID=sent[0].study_uid)
            clock.set_now_us(now_us + 365 * 86_400_000_000)
            assert await archive.collect() == 0
            clock.set_now_us(now_us - 365 * 86_400_000_000)
            assert await archive.collect() == 0
            assert (await archive.restore("instance", SOPInstanceUID=sent[0].sop_instance_uid)).instance_count == 1
            clock.set_now_us(now_us)
            clock.advance(31 * DAY)
            assert await archive.collect() == 5
        clock = ManualClock(now_us)
        async with opened(str(tmp_path / "archive"), clock, retention_days=10) as archive:
            clock.set_now_us(now_us + 365 * 86_400_000_000)
            with pytest.raises(engine.Conflict, match="retention"):
                await archive.delete(StudyInstanceUID=sent[-1].study_uid)
            clock.advance(11 * DAY)
            assert (await archive.delete(StudyInstanceUID=sent[-1].study_uid)).instance_count == 6

    run(work)


def test_retention_refuses_the_whole_delete() -> None:
    async def work() -> None:
        clock = ManualClock(Clock().now_us())  # the log stamps by the machine's clock
        async with opened("memory://", clock, retention_days=10) as archive:
            sent = await stored(archive)
            with pytest.raises(engine.Conflict, match="retention"):
                await archive.delete(StudyInstanceUID=sent[0].study_uid)
            assert await counts(archive) == (2, 4, 12)
            clock.advance(11 * DAY)
            assert (await archive.delete(StudyInstanceUID=sent[0].study_uid)).instance_count == 6

    run(work)


def test_the_change_feed_tells_of_decisions() -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:
            one = next(files(SHAPE))
            await archive.store(one.data)
            await archive.delete(StudyInstanceUID=one.study_uid)
            await archive.restore(StudyInstanceUID=one.study_uid)
            changes = [change async for change in archive.changes()]
            assert [change.kind for change in changes] == ["store", "delete", "restore"]
            assert {uid for change in changes for uid in change.sop_instance_uids} == {one.sop_instance_uid}
            assert [change async for change in archive.changes(after=changes[1].cursor)] == changes[2:]

    run(work)


def test_the_archive_is_shown_as_it_was(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            sent = await stored(archive)
            await archive.delete(StudyInstanceUID=sent[0].study_uid)
            moments = [change.stamp async for change in archive.changes()]
            before, after = moments[-2], moments[-1]
            assert len([row async for row in archive.find(as_of=moments[0])]) == 1
            assert len([row async for row in archive.find("instance", as_of=before)]) == 12
            assert len([row async for row in archive.find("instance", as_of=after)]) == 6
            assert {one.sop_instance_uid async for one in archive.fetch(as_of=before)} == {
                one.sop_instance_uid for one in sent
            }
            then = datetime.fromtimestamp(before / 1e6, UTC)
            assert len([row async for row in archive.find(as_of=then)]) == 2
            assert await counts(archive) == (1, 2, 6)
            with pytest.raises(engine.Invalid, match="zone"):
                _ = [row async for row in archive.find(as_of=then.replace(tzinfo=None))]

    run(work)


def test_what_was_collected_since_is_named_and_said_to_be_gone(tmp_path: Path) -> None:
    async def work() -> None:
        clock = ManualClock(Clock().now_us())  # the log stamps by the machine's clock
        async with opened(str(tmp_path / "archive"), clock, grace_days=0) as archive:
            one = next(files(SHAPE))
            stamp = (await archive.store(one.data)).instance.stamp
            await archive.delete(StudyInstanceUID=one.study_uid)
            clock.advance(DAY)
            assert await archive.collect() == 1
        async with opened(str(tmp_path / "archive"), clock) as archive:  # the intake lets go of them at a checkpoint
            assert len([row async for row in archive.find(as_of=stamp)]) == 1
            with pytest.raises(engine.Corrupt, match="gone"):
                _ = [file async for file in archive.fetch(as_of=stamp)]

    run(work)
