"""The archive as a whole, through its facade: stored is found, found is fetched, and much of it may be lost."""

import gc
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
import trio
import trio.testing
from pydicom import dcmread

import engine
from bench.data import File, Shape, files
from engine import Archive
from engine.house import House
from native.dataset import canonical

SHAPE = Shape(studies=3, series=2, instances=4, rows=32, seed=11)
TIFF = b"II*\0" + bytes(124)


def run(work: Callable[[], Awaitable[None]]) -> None:
    """On trio, with a deadline."""

    async def bounded() -> None:
        with trio.fail_after(60):
            await work()

    trio.run(bounded)


def kept(data: bytes) -> bytes:
    """The file that must come back: the canonical one, with a TIFF's preamble."""
    head, offset, preamble = canonical(data)
    return preamble + head[len(preamble) :] + data[offset:]


async def fetched(archive: Archive, **keys: object) -> dict[str, bytes]:
    return {one.sop_instance_uid: one.file async for one in archive.fetch(**keys)}


async def store_all(archive: Archive, sent: list[File]) -> None:
    async with trio.open_nursery() as nursery:
        for one in sent:
            nursery.start_soon(archive.store, one.data)


@pytest.fixture(params=["memory", "folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "bucket":
        monkeypatch.chdir(tmp_path)  # where the node's own folder is made
        return f"{request.getfixturevalue('s3')}/{tmp_path.name}"
    return "memory://" if request.param == "memory" else str(tmp_path / "archive")


def test_what_is_stored_is_found_and_fetched_byte_for_byte(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            sent = list(files(SHAPE))
            await store_all(archive, sent)
            studies = [row async for row in archive.find()]
            assert len(studies) == 3
            for row in studies:
                assert (row["NumberOfStudyRelatedSeries"], row["NumberOfStudyRelatedInstances"]) == ("2", "8")
            one = sent[0]
            patient = str(dcmread(BytesIO(one.data)).PatientID)
            (match,) = [row async for row in archive.find(PatientID=patient)]
            assert match["StudyInstanceUID"] == one.study_uid
            assert await fetched(archive) == {file.sop_instance_uid: kept(file.data) for file in sent}
            assert set(await fetched(archive, SeriesInstanceUID=one.series_uid)) == {
                file.sop_instance_uid for file in sent if file.series_uid == one.series_uid
            }

    run(work)


def test_each_store_is_found_by_the_very_next_query(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            for count, one in enumerate(files(SHAPE), start=1):
                assert (await archive.store(one.data)).outcome == "new"
                rows = [row async for row in archive.find("instance", SOPInstanceUID=one.sop_instance_uid)]
                assert len(rows) == 1
                assert (await archive.status()).instance_count == count

    run(work)


def test_sending_again_changes_nothing_and_other_content_is_a_version(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            one = next(files(SHAPE))
            assert (await archive.store(one.data)).outcome == "new"
            assert (await archive.store(one.data)).outcome == "same"
            other = one.data[:-2] + bytes([one.data[-2] ^ 1, one.data[-1]])
            assert (await archive.store(other)).outcome == "version"
            assert await fetched(archive) == {one.sop_instance_uid: kept(one.data)}
            assert (await archive.status()).instance_count == 1

    run(work)


def test_a_tiff_preamble_comes_back_and_an_executable_one_does_not() -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:
            first, second = list(files(SHAPE))[:2]
            await archive.store(TIFF + first.data[128:])
            await archive.store(b"MZ" + bytes(126) + second.data[128:])
            found = await fetched(archive)
            assert found[first.sop_instance_uid] == kept(TIFF + first.data[128:])
            assert found[second.sop_instance_uid][:128] == bytes(128)

    run(work)


def test_what_is_no_dicom_is_refused_and_leaves_nothing(url: str) -> None:
    async def work() -> None:
        async with engine.open(url) as archive:
            for data in (b"", b"no DICOM at all", next(files(SHAPE)).data[:-5], bytes(1000)):
                with pytest.raises(engine.Invalid):
                    await archive.store(data)
            assert [row async for row in archive.find()] == []

    run(work)


def test_a_file_may_come_in_pieces_or_by_its_path(url: str, tmp_path: Path) -> None:
    large = next(files(Shape(series=1, instances=1, rows=1600, seed=2))).data
    assert len(large) > 4 << 20

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(large), 100_000):
            yield large[at : at + 100_000]

    async def work() -> None:
        async with engine.open(url) as archive:
            assert (await archive.store(pieces())).outcome == "new"
            (tmp_path / "large.dcm").write_bytes(large)
            assert (await archive.store(tmp_path / "large.dcm")).outcome == "same"
            assert list((await fetched(archive)).values()) == [kept(large)]

    run(work)


@pytest.mark.parametrize("lost", ["nothing", "node/index", "node"])
def test_opened_again_it_answers_the_same(tmp_path: Path, lost: str) -> None:
    """Without its node the bucket is the archive."""
    folder = tmp_path / "archive"
    sent = list(files(SHAPE))

    async def first() -> None:
        async with engine.open(str(folder)) as archive:
            await store_all(archive, sent)

    async def again() -> None:
        async with engine.open(str(folder)) as archive:
            assert await fetched(archive) == {file.sop_instance_uid: kept(file.data) for file in sent}
            assert [finding async for finding in archive.verify()] == []
            assert await archive.reindex() == len(sent)
            assert await fetched(archive) == {file.sop_instance_uid: kept(file.data) for file in sent}
            assert (await archive.store(sent[0].data)).outcome == "same"

    run(first)
    if lost != "nothing":
        shutil.rmtree(folder / lost)
    run(again)


def test_a_second_process_is_told_so(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine.open(str(tmp_path)):
            with pytest.raises(engine.Conflict):
                async with engine.open(str(tmp_path)):
                    pass

    run(work)


def test_changes_are_read_on_from_their_cursor() -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:
            sent = list(files(SHAPE))
            await store_all(archive, sent)
            seen = []
            cursor = ""
            for _ in sent:
                async with aclosing(archive.changes(cursor)) as changes:
                    change = await anext(changes)
                seen += change.sop_instance_uids
                cursor = change.cursor
            assert [change async for change in archive.changes(cursor)] == []
            assert sorted(seen) == sorted(file.sop_instance_uid for file in sent)

    run(work)


def test_a_damaged_object_is_said_to_be_corrupt_by_itself(tmp_path: Path) -> None:
    """Not in a group of exceptions, which nobody catches."""

    async def work() -> None:
        url = str(tmp_path / "archive")
        async with engine.open(url) as archive:
            await archive.store(next(files(SHAPE)).data)
        for path in (tmp_path / "archive" / "archive" / "t" / "default" / "o").rglob("*.dcm"):
            path.write_bytes(path.read_bytes()[:-1] + b"?")
        async with engine.open(url) as archive:
            with pytest.raises(engine.Corrupt):
                await fetched(archive)

    run(work)


def test_what_is_meant_by_mistake_is_refused() -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:
            await archive.store(next(files(SHAPE)).data)
            for unset in (None, [], b"1.2"):
                with pytest.raises(engine.Invalid):
                    _ = [row async for row in archive.find(PatientID=unset)]
            assert len([row async for row in archive.find(PatientID="", sort="-StudyDate")]) == 1
            for level, keys, said in (
                ("studies", {}, "level is patient"),
                ("study", {"StudyDate": "2004"}, "00080020: a date is written 20240131"),
                ("series", {"SeriesTime": "8-9"}, "00080031: a time is written 08"),
                ("study", {"patientname": "DOE"}, "PatientName"),
                ("study", {"StudyDate": date(2024, 1, 31)}, "20240131"),
            ):
                with pytest.raises(engine.Invalid, match=said):
                    _ = [row async for row in archive.find(level, **keys)]
            with pytest.raises(TypeError, match=r"pathlib\.Path"):
                await archive.store("image.dcm")  # type: ignore[arg-type]
        with pytest.raises(engine.Unavailable, match="closed"):
            _ = [row async for row in archive.find()]

    run(work)


def test_a_reader_may_stop_anywhere(tmp_path: Path) -> None:
    def open_files() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    async def work() -> None:
        async with engine.open(str(tmp_path / "archive")) as archive:
            await store_all(archive, list(files(SHAPE)))
        before = open_files()
        async with engine.open(str(tmp_path / "archive")) as archive:
            for _ in range(3):
                async for _one in archive.fetch():
                    break
            async with aclosing(archive.fetch()) as rest:
                await anext(rest)
            await trio.testing.wait_all_tasks_blocked()
        assert open_files() == before

    run(work)


def test_an_index_of_another_archive_is_made_anew(tmp_path: Path) -> None:
    sent = list(files(SHAPE))

    async def fill(name: str, part: list[File]) -> None:
        async with engine.open(str(tmp_path / name)) as archive:
            await store_all(archive, part)

    async def work() -> None:
        await fill("one", sent[:2])
        await fill("two", sent[2:])
        shutil.rmtree(tmp_path / "one" / "archive")
        shutil.copytree(tmp_path / "two" / "archive", tmp_path / "one" / "archive")
        async with engine.open(str(tmp_path / "one")) as archive:
            assert set(await fetched(archive)) == {file.sop_instance_uid for file in sent[2:]}

    run(work)


def test_a_refusal_of_a_large_file_says_why(tmp_path: Path) -> None:
    """And is not hidden by what was mapped when it came."""
    (tmp_path / "large.dcm").write_bytes(next(files(Shape(series=1, instances=1, rows=1600, seed=2))).data)

    async def work() -> None:
        async with engine.open(str(tmp_path / "archive")) as archive:
            archive._house.intake.log.refuse(True)
            with pytest.raises(engine.Unavailable):
                await archive.store(tmp_path / "large.dcm")
            archive._house.intake.log.refuse(False)
            assert (await archive.store(tmp_path / "large.dcm")).outcome == "new"

    run(work)


def test_a_folder_that_goes_away_ends_the_log(tmp_path: Path) -> None:
    """And with it, whatever waits for an acknowledgement."""
    house = House(engine.StoreSettings(url=str(tmp_path / "archive")))
    (tmp_path / "archive" / "node").rename(tmp_path / "elsewhere")
    house.intake._preparer.join(30)
    assert "cannot be looked at" in house.intake.log.failure()
    with pytest.raises(engine.FilmroomError):
        house.close()
