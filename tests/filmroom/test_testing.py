"""What Filmroom gives to other people's tests: servers that start and end with them, however they end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

import engine
import filmroom
from bench.lean import Association, Target
from engine.keep.node_directory import MEMORY_PREFIX, MemoryNode
from filmroom.testing import Server, archive, ct_series, server
from tests.filmroom.running import wait_until
from tests.tidy.reading import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for the tests that change nothing of note."""
    with server(peers={"WS1": ("127.0.0.1", 11113)}) as running:
        yield running


def test_made_up_slices_are_the_same_each_time() -> None:
    first, second = ct_series(2, rows=16), ct_series(2, rows=16, PatientID="4711")
    assert [one.SOPInstanceUID for one in first] == [one.SOPInstanceUID for one in second]
    assert (first[0].pixel_array == second[0].pixel_array).all()
    assert {one.PatientID for one in second} == {"4711"}
    assert first[0].PatientID != ct_series(1, rows=16, seed=2)[0].PatientID
    assert first[0].StudyInstanceUID != ct_series(1, rows=16, seed=2)[0].StudyInstanceUID


def test_an_archive_in_memory_is_empty_and_gone_again() -> None:
    for _ in range(2):
        with archive() as opened:
            assert opened.status().instance_count == 0
            for dataset in ct_series(rows=16):
                opened.store(dataset)
            assert len(list(opened.find("instance"))) == 3


def test_a_server_keeps_finds_and_waits(node: Server, tmp_path: Path) -> None:
    sent = ct_series(4, rows=16, PatientID="W1")
    sent[1].save_as(tmp_path / "image.dcm")
    node.store(sent[0])
    node.store(tmp_path / "image.dcm")
    node.store((tmp_path / "image.dcm").read_bytes())
    (study,) = node.find(PatientID="W1")
    assert (study.StudyInstanceUID, study.NumberOfStudyRelatedInstances) == (sent[0].StudyInstanceUID, 2)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(node.wait, 4, PatientID="W1")
        node.store(sent[2])
        node.store(sent[3])
        assert {one.SOPInstanceUID for one in waiting.result(60)} == {one.SOPInstanceUID for one in sent}
    with pytest.raises(TimeoutError, match="4 of 5 instances came within 1 s"):
        node.wait(5, seconds_max=1, PatientID="W1")
    with pytest.raises(engine.Invalid, match="no DICOM data set"):
        node.store(b"junk")
    with pytest.raises(engine.Invalid, match="400"):
        node.find(Nothing="1")
    assert "listening" in node.log()


def test_a_server_speaks_dicom(node: Server, tmp_path: Path) -> None:
    """With its own AE title, port and peers, to the lean client of the bench."""
    (dataset,) = ct_series(1, rows=16, seed=5)
    association = Association(
        Target(node.dimse_port, node.ae_title, node.host), "1.2.840.10008.1.1", "1.2.840.10008.1.2"
    )
    association.release()
    node.store(dataset)
    status, peers = node.request("GET", "/api/v1/peers")
    assert (status, b"WS1" in peers) == (200, True)


def test_a_folder_is_served_and_settings_are_taken(tmp_path: Path) -> None:
    (dataset,) = ct_series(1, rows=16)
    with filmroom.blocking.open(tmp_path) as opened:
        opened.store(dataset)
    with server(tmp_path, ae_title="HERE", settings={"serve.tokens": "required"}) as running:
        assert running.ae_title == "HERE"
        assert running.request("GET", "/dicomweb/studies")[0] == 401
    with (
        pytest.raises(engine.Unavailable, match=r"there is no setting 'serve\.nothing'"),
        server(settings={"serve.nothing": 1}),
    ):
        pass
    with filmroom.blocking.open(tmp_path), pytest.raises(engine.Unavailable, match="another process"), server(tmp_path):
        pass


# -- nothing is left ---------------------------------------------------------------------------------------------------


def is_alive(pid: int) -> bool:
    """Whether it runs (a zombie does not: who should have waited for it is gone)."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def is_taken(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def folders(*pids: int) -> set[Path]:
    """Of archives in memory that these processes hold; other tests have theirs at the same time."""
    held: set[Path] = set()
    for fd in (fd for pid in pids for fd in Path(f"/proc/{pid}/fd").iterdir()):
        with suppress(FileNotFoundError):  # closed meanwhile
            held.add(fd.readlink())
    return {folder for folder in held if folder.name.startswith(MEMORY_PREFIX)}


def are_gone(made: set[Path]) -> bool:
    return not any(folder.exists() for folder in made)


def test_nothing_of_a_server_is_left(tmp_path: Path) -> None:
    """However the block ends."""
    with pytest.raises(ZeroDivisionError), server() as running:
        mine = folders(running.pid)
        assert len(mine) == 1
        _ = 1 / 0
    assert not is_alive(running.pid)
    assert not is_taken(running.dimse_port)
    assert not is_taken(running.http_port)
    assert are_gone(mine)


HOLDER = """
import os, signal, sys
from filmroom.testing import archive, server
with server() as node, archive():
    if "fork" in sys.argv and not os.fork():
        signal.pause()
    print(node.pid, node.dimse_port, node.http_port, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_a_server_ends_with_a_test_run_that_is_killed(how: str) -> None:
    """Also when a child of the run, which holds its pipes, lives on."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, how], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, process_group=0
    )
    try:
        assert holder.stdout is not None
        pid, dimse_port, http_port = map(int, holder.stdout.readline().split())
        made = folders(pid, holder.pid)
        assert len(made) == 2
        assert is_alive(pid)
        holder.kill()
        holder.wait()
        wait_until(lambda: not is_alive(pid))
        assert not is_taken(dimse_port)
        assert not is_taken(http_port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(holder.pid, signal.SIGKILL)
        holder.stdout.close() if holder.stdout else None
    if how == "alone":
        MemoryNode().close()  # whoever opens the next archive in memory sweeps what that of a killed process left
        assert are_gone(made)


def test_a_folder_that_is_held_is_not_swept(tmp_path: Path) -> None:
    before = folders(os.getpid())
    first = MemoryNode()
    second = MemoryNode()
    mine = folders(os.getpid()) - before
    assert len(mine) == 2 and all(folder.exists() for folder in mine)
    for node in (first, second):
        node.close()
    assert are_gone(mine)


CONFTEST = 'pytest_plugins = ["filmroom.testing.fixtures"]\n'
TESTS = """
from filmroom.testing import ct_series

def test_archive(filmroom_archive):
    filmroom_archive.store(ct_series(1)[0])
    assert len(list(filmroom_archive.find())) == 1

def test_archive_is_empty_again(filmroom_archive):
    assert list(filmroom_archive.find()) == []

def test_server(filmroom_server):
    filmroom_server.store(ct_series(1)[0])
    assert len(filmroom_server.wait()) == 1
"""


def test_the_fixtures_are_there_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_mine.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout


def test_what_testing_costs_others() -> None:
    """Neither pytest nor pydicom is loaded by who needs them not."""
    code = "import filmroom.testing, sys; print([m for m in ('pytest', 'pydicom', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_a_data_set_that_was_stored_is_the_one_that_was_made(node: Server) -> None:
    (dataset,) = ct_series(1, rows=16, seed=9)
    node.store(dataset)
    path = f"/dicomweb/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
    status, answer = node.request(
        "GET", f"{path}/instances/{dataset.SOPInstanceUID}", headers={"Accept": "application/dicom"}
    )
    assert status == 200

    assert dcmread(BytesIO(answer)).PixelData == dataset.PixelData
