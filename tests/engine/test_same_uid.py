"""H43, H44: one SOP Instance UID, several contents or several places: all of it is kept, and nothing is silent."""

import re
from collections.abc import Awaitable, Callable

import trio

import engine
from bench.data import Shape, files
from engine import Archive

ONE = next(files(Shape(studies=1, series=1, instances=1, rows=16, seed=3)))


def run(work: Callable[[Archive], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(60):
            async with engine.open("memory://") as archive:
                await work(archive)

    trio.run(bounded)


def in_another_study(data: bytes) -> bytes:
    """The same instance with another Study Instance UID of the same length."""
    uid = ONE.study_uid.encode()
    other = uid[:-1] + (b"8" if uid[-1:] != b"8" else b"9")
    element = re.compile(rb"(\x20\x00\x0d\x00UI..)" + re.escape(uid) + rb"(?=\0?\x20\x00)", re.DOTALL)
    changed, count = element.subn(lambda found: found[1] + other, data)
    assert count == 1
    return changed


def test_H43_other_content_is_a_version_and_the_change_feed_says_so() -> None:
    async def work(archive: Archive) -> None:
        first = await archive.store(ONE.data)
        second = await archive.store(ONE.data[:-2] + b"\1\2")
        assert (first.outcome, second.outcome) == ("new", "version")
        (shown,) = [one async for one in archive.fetch()]
        assert (shown.key, shown.version_count) == (first.instance.key, 2)
        assert len([change async for change in archive.changes()]) == 2
        assert [finding async for finding in archive.verify()] == []

    run(work)


def test_H44_in_another_study_it_is_kept_and_found_in_both() -> None:
    async def work(archive: Archive) -> None:
        there = in_another_study(ONE.data)
        assert (await archive.store(ONE.data)).outcome == "new"
        stored = await archive.store(there)
        assert stored.outcome == "elsewhere"
        assert (await archive.store(there)).outcome == "same"
        rows = [row async for row in archive.find("instance", SOPInstanceUID=ONE.sop_instance_uid)]
        assert {row["StudyInstanceUID"] for row in rows} == {ONE.study_uid, stored.instance.study_uid}
        await archive.delete(StudyInstanceUID=ONE.study_uid)
        (left,) = [one async for one in archive.fetch()]
        assert left.study_uid == stored.instance.study_uid
        assert [finding async for finding in archive.verify()] == []

    run(work)
