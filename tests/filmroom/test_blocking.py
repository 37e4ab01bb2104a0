"""The library without await: the same surface, errors as themselves, and no thread, process or interrupt that hurts."""

import gc
import inspect
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
import trio
import trio.testing
from pydicom import dcmread

import engine
import filmroom
from bench.data import Shape, files
from filmroom import blocking
from filmroom.portal import AHEAD_BYTES_MAX, AHEAD_COUNT_MAX, Portal
from tests.tidy.reading import ROOT

FILES = list(files(Shape(studies=2, series=2, instances=3, rows=32)))
SECONDS_MAX = 60
# Of one thread's event loop alone, and of no use but to the DICOM room.
NOT_MIRRORED = {"commitments"}
ADDED = {"close"}


@pytest.fixture
def archive() -> Iterator[blocking.Archive]:
    with blocking.open("memory://") as opened:
        yield opened


@pytest.fixture(scope="module")
def filled() -> Iterator[blocking.Archive]:
    """Holds FILES; nobody stores into it."""
    with blocking.open("memory://") as opened:
        for file in FILES:
            opened.store(file.data)
        yield opened


def public(of: type) -> dict[str, object]:
    return {name: member for name, member in vars(of).items() if not name.startswith("_")}


def test_the_two_surfaces_are_one() -> None:
    """Names, kinds, parameters with their defaults, and what is said of them."""
    originals = public(filmroom.Images) | public(engine.Archive)
    mirrored = public(blocking.Archive)
    assert set(originals) - NOT_MIRRORED == set(mirrored) - ADDED
    for name in set(originals) - NOT_MIRRORED:
        original, mirror = originals[name], mirrored[name]
        assert isinstance(original, property) == isinstance(mirror, property), name
        assert (mirror.__doc__ or "").strip(), name
        if not callable(original) or not callable(mirror):
            continue
        assert not inspect.iscoroutinefunction(mirror), name
        assert not inspect.isasyncgenfunction(mirror), name
        assert shape_of(original) == shape_of(mirror), name


def shape_of(function: object) -> list[tuple[str, object, object]]:
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, "function" if inspect.isfunction(one.default) else one.default) for one in parameters]


def test_every_kind_of_source_is_kept(archive: blocking.Archive, tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(FILES[0].data)
    pieces = (FILES[0].data[at : at + 1000] for at in range(0, len(FILES[0].data), 1000))
    sources = (FILES[0].data, bytearray(FILES[0].data), path, str(path), pieces, dcmread(path))
    assert [archive.store(one).outcome for one in sources] == ["new", *["same"] * 5]
    with pytest.raises(TypeError, match=r"pydicom\.Dataset.*not int"):
        archive.store(5)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        archive.store("nowhere.dcm")


def test_a_data_set_without_file_meta_is_kept_and_left_alone(archive: blocking.Archive) -> None:
    dataset = dcmread(BytesIO(FILES[0].data))
    del dataset.file_meta
    assert archive.store(dataset).instance.sop_instance_uid == FILES[0].sop_instance_uid
    assert not hasattr(dataset, "file_meta")


def test_what_is_kept_is_found_fetched_and_decided(archive: blocking.Archive) -> None:
    for file in FILES:
        archive.store(file.data)
    uid = FILES[0].study_uid
    assert {row["StudyInstanceUID"] for row in archive.find()} == {file.study_uid for file in FILES}
    assert len(list(archive.fetch(StudyInstanceUID=uid))) == 6
    wanted = archive.instances(engine.query_of(engine.Level.STUDY, {"StudyInstanceUID": uid}))
    with archive.reader(wanted) as windows:
        assert sum(len(window.objects) for window in windows) == 6
    assert archive.opened(wanted[0], lambda window: len(window.objects)) == 1
    assert archive.shaped(engine.Query(level=engine.Level.STUDY), lambda found: found.total) == 2
    assert [change.kind for change in archive.changes()] == ["store"] * 12
    known, cursor = archive.journalled.count, archive.last_cursor()
    assert archive.delete(StudyInstanceUID=uid).instance_count == 6
    assert archive.journalled.heard(known, SECONDS_MAX)
    assert [change.kind for change in archive.changes(cursor)] == ["delete"]
    assert len(list(archive.find())) == 1
    assert archive.restore(StudyInstanceUID=uid).instance_count == 6
    assert list(archive.verify()) == []
    assert archive.status().instance_count == 12


def test_an_instance_is_a_data_set(filled: blocking.Archive) -> None:
    dataset = filled.instance(FILES[4].sop_instance_uid)
    assert dataset == dcmread(BytesIO(FILES[4].data))
    for uid in ("1.2.3", ""):
        with pytest.raises(engine.Missing):
            filled.instance(uid)


def test_an_instance_of_two_series_must_be_named_with_one(archive: blocking.Archive) -> None:
    dataset = dcmread(BytesIO(FILES[0].data))
    archive.store(dataset)
    dataset.SeriesInstanceUID = "1.2.3"
    assert archive.store(dataset).outcome == "elsewhere"
    with pytest.raises(engine.Conflict, match="series_uid"):
        archive.instance(FILES[0].sop_instance_uid)
    assert archive.instance(FILES[0].sop_instance_uid, series_uid="1.2.3").SeriesInstanceUID == "1.2.3"


def test_an_error_comes_as_itself_with_the_place_where_it_arose(filled: blocking.Archive) -> None:
    with pytest.raises(engine.Invalid, match="did you mean PatientID") as caught:
        list(filled.find(PatinetID="1"))
    places = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert places[0] == "test_an_error_comes_as_itself_with_the_place_where_it_arose"
    assert places[-1] == "_tag_of"
    assert len(places) <= 14


def test_threads_share_one_archive(archive: blocking.Archive) -> None:
    many = list(files(Shape(studies=1, series=1, instances=64, rows=16)))
    with ThreadPoolExecutor(8) as threads:
        kept = list(threads.map(lambda file: archive.store(file.data).outcome, many))
    assert kept == ["new"] * 64
    assert archive.status().instance_count == 64


def test_a_closed_archive_says_so(tmp_path: Path) -> None:
    archive = blocking.open(tmp_path / "data")
    archive.store(FILES[0].data)
    halfway = archive.fetch()
    archive.close()
    archive.close()
    for ask in (archive.status, archive.trouble, lambda: archive.store(b""), lambda: list(archive.find())):
        with pytest.raises(engine.Unavailable, match="closed"):
            ask()
    with pytest.raises(engine.Unavailable, match="closed"):
        next(halfway)
    assert "(closed)" in repr(archive)
    with blocking.open(tmp_path / "data") as again:
        assert len(list(again.find())) == 1


def test_who_opens_it_twice_is_told_who_has_it(tmp_path: Path) -> None:
    with blocking.open(tmp_path), pytest.raises(engine.Conflict, match=r"close\(\) it first"):
        blocking.open(tmp_path)
    with pytest.raises(engine.Invalid):
        blocking.open("ftp://nowhere")


def test_a_place_and_settings_go_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a place that is given, the settings say all else; of both doors."""
    monkeypatch.chdir(tmp_path)
    with blocking.open("here", engine.StoreSettings(retention_days=7)) as archive:
        archive.store(FILES[0].data)
        with pytest.raises(engine.Conflict):
            archive.delete(StudyInstanceUID=FILES[0].study_uid)
    with blocking.open(settings=engine.StoreSettings(url="there")):
        pass

    async def work() -> None:
        async with engine.open("memory://", engine.StoreSettings(retention_days=7)):
            pass

    trio.run(work)
    assert {path.name for path in tmp_path.iterdir()} == {"here", "there"}


def test_an_archive_that_nobody_holds_is_closed(tmp_path: Path) -> None:
    archive = blocking.open(tmp_path)
    thread = archive._portal._thread
    del archive
    gc.collect()
    thread.join(SECONDS_MAX)
    assert not thread.is_alive()


# -- the portal --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


@pytest.fixture
def portal() -> Iterator[Portal[None]]:
    opened = Portal(nothing(), "nothing")
    yield opened
    opened.close()


@pytest.mark.parametrize(("weight", "ahead"), [(1, AHEAD_COUNT_MAX), (AHEAD_BYTES_MAX, 1)])
def test_items_are_made_a_bounded_stretch_ahead(portal: Portal[None], weight: int, ahead: int) -> None:
    made: list[int] = []
    ended = threading.Event()

    async def count() -> AsyncIterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            ended.set()

    pulled = portal.pull(count, lambda _: weight)
    assert made == []
    for number in range(300):
        assert next(pulled) == number
        portal.call(trio.testing.wait_all_tasks_blocked)
        assert number < len(made) <= number + 1 + ahead
    pulled.close()  # type: ignore[attr-defined]
    assert ended.wait(SECONDS_MAX)
    assert list(portal.pull(count, lambda _: weight)) == list(range(1000))


def test_an_interrupt_cancels_what_is_waited_for(portal: Portal[None]) -> None:
    began, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    def interrupt() -> None:
        began.wait(SECONDS_MAX)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            threading.Thread(target=interrupt).start()
            portal.call(wait)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert cancelled.is_set()
    assert portal.call(trio.lowlevel.checkpoint) is None


def test_closing_ends_what_other_threads_wait_for() -> None:
    portal = Portal(nothing(), "nothing")
    began = threading.Event()

    async def wait() -> None:
        began.set()
        await trio.sleep_forever()

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(portal.call, wait)
        assert began.wait(SECONDS_MAX)
        portal.close()
        with pytest.raises(engine.Unavailable, match="closed"):
            waiting.result(SECONDS_MAX)


def test_what_opening_or_closing_raises_comes_as_itself() -> None:
    @asynccontextmanager
    async def failing(early: bool) -> AsyncIterator[None]:
        if early:
            raise engine.Corrupt("early")
        yield
        raise engine.Fenced("late")

    with pytest.raises(engine.Corrupt, match="early"):
        Portal(failing(True), "")
    portal = Portal(failing(False), "")
    with pytest.raises(engine.Fenced, match="late"):
        portal.close()


# -- programs ----------------------------------------------------------------------------------------------------------


def program(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


FORGOTTEN = """
from contextlib import asynccontextmanager
import trio
from filmroom.portal import Portal
@asynccontextmanager
async def resource():
    yield
    await trio.to_thread.run_sync(print, "closed")
portal = Portal(resource(), "")
{}
"""


NO_THREADS = pytest.mark.skipif(
    (3, 12, 0) <= sys.version_info[:3] <= (3, 12, 1), reason="Python 3.12.0 and .1 start no thread once main ends"
)


@NO_THREADS
@pytest.mark.parametrize(("end", "code"), [("", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1)])
def test_what_nobody_closed_is_closed_at_the_end(tmp_path: Path, end: str, code: int) -> None:
    done = program(FORGOTTEN.format(end), tmp_path)
    assert (done.returncode, done.stdout) == (code, "closed\n"), done.stderr


@NO_THREADS
def test_what_cannot_be_closed_at_the_end_is_told(tmp_path: Path) -> None:
    done = program(FORGOTTEN.format("print.__module__").replace('print, "closed"', "int, 'x'"), tmp_path)
    assert "did not close in order" in done.stderr
    assert "ValueError" in done.stderr


def test_a_forked_child_is_refused_and_holds_nothing_up(tmp_path: Path) -> None:
    code = """
import os, filmroom
archive = filmroom.blocking.open("data")
read, write = os.pipe()
if not (child := os.fork()):
    os.close(write)
    for ask in (archive.status, lambda: list(archive.find()), archive.close):
        try:
            ask()
        except RuntimeError as error:
            print(error, flush=True)
    os.read(read, 1)  # still there when the parent opens the archive anew
    os._exit(0)
archive.close()
with filmroom.blocking.open("data") as archive:
    print(archive.status().instance_count, flush=True)
os.write(write, b".")
os.waitpid(child, 0)
"""
    done = program(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("before a fork") == 3
    assert "0\n" in done.stdout


def test_it_works_beneath_a_running_asyncio_loop(tmp_path: Path) -> None:
    """As in a notebook, whose cells run in one; and from its threads."""
    (tmp_path / "image.dcm").write_bytes(FILES[0].data)
    code = """
import asyncio, filmroom
async def cell():
    with filmroom.blocking.open("memory://") as archive:
        archive.store("image.dcm")
        print(len(await asyncio.to_thread(list, archive.find())))
        print(*await asyncio.gather(*(asyncio.to_thread(archive.store, "image.dcm") for _ in range(3))))
asyncio.run(cell())
"""
    done = program(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1\n")
    assert done.stdout.count("same") == 3


def test_it_is_there_without_an_import_of_its_own() -> None:
    assert filmroom.blocking is blocking
    assert "blocking" in dir(filmroom)
