"""The machine's clock jumps a day ahead or back (H69): nothing is lost, hidden, or put in another order."""

from pathlib import Path

import pytest

from engine.clock import Clock, ManualClock
from engine.keep.journal import Journal
from engine.model import CommitmentRequest, Reference
from tests.engine.test_removal import opened, run
from tests.protocols.files import ct, part10

DAY_US = 86_400 * 10**6


def image(number: int) -> bytes:
    return part10(ct("1.2.1", "1.2.1.1", f"1.2.1.1.{number}", PatientID="P1", InstanceNumber=str(number)))


def test_H69_back_by_a_day_what_was_acknowledged_later_stays_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log was stamped by a clock that was a day ahead; the machine's clock is right again."""
    url, ahead = str(tmp_path / "archive"), Clock().now_us() + DAY_US

    async def work() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Journal, "last_stamp", lambda journal: ahead)
            async with opened(url) as archive:
                first = (await archive.store(image(1))).instance
                deleted = await archive.delete(StudyInstanceUID="1.2.1")
                second = (await archive.store(image(2))).instance
        async with opened(url) as archive:
            assert deleted.instance_count == 1
            third = (await archive.store(image(1))).instance
            stamps = [change.stamp async for change in archive.changes()]
            kept = {one.sop_instance_uid async for one in archive.fetch()}
            assert kept == {"1.2.1.1.1", "1.2.1.1.2"}, "what came after the delete lives, what it saw does not hide it"
            assert ahead < first.stamp < stamps[1] < second.stamp < third.stamp
            assert stamps == sorted(stamps) and len(stamps) == 4
            earlier = [one.sop_instance_uid async for one in archive.fetch(as_of=second.stamp)]
            assert earlier == ["1.2.1.1.2"]
            assert not [finding async for finding in archive.verify(deep=True)]

    run(work)


def test_H69_ahead_and_back_while_it_runs_nothing_is_lost_and_answers_go_on(tmp_path: Path) -> None:
    url, clock = str(tmp_path / "archive"), ManualClock(Clock().now_us())

    async def work() -> None:
        async with opened(url, clock) as archive:
            began = clock.now_us()
            for number, jump in enumerate((0, DAY_US, -DAY_US, 2 * DAY_US, 0)):
                clock.set_now_us(began + jump)
                await archive.store(image(number))
                found = [one.sop_instance_uid async for one in archive.fetch()]
                assert sorted(found) == [f"1.2.1.1.{done}" for done in range(number + 1)]
            await archive.delete("instance", SOPInstanceUID="1.2.1.1.4")
            clock.set_now_us(began - DAY_US)
            assert await archive.collect() == 0, "grace is not over"
            await archive.restore("instance", SOPInstanceUID="1.2.1.1.4")
            assert len([one async for one in archive.fetch()]) == 5
        async with opened(url, clock) as archive:
            assert len([one async for one in archive.fetch()]) == 5
            assert not [finding async for finding in archive.verify(deep=True)]

    run(work)


@pytest.mark.parametrize("jump", [DAY_US, -DAY_US])
def test_H69_no_jump_commits_what_is_not_there(tmp_path: Path, jump: int) -> None:
    url, clock = str(tmp_path / "archive"), ManualClock(Clock().now_us())
    wanted = [Reference("1.2.840.10008.5.1.4.1.1.2", f"1.2.1.1.{number}") for number in (1, 2)]

    async def work() -> None:
        async with opened(url, clock) as archive:
            await archive.store(image(1))
            request: CommitmentRequest = await archive.commitments.open("MODALITY", "1.2.3", wanted)
            clock.set_now_us(clock.now_us() + jump)
            assert archive.commitments.age_seconds(request) == jump / 10**6
            assert await archive.commitments.lacks(wanted)
            assert await archive.commitments.judge(wanted) == ["committed", "missing"]

    run(work)
