"""The real command with real peers: DCMTK stores, finds, moves (C01, C05, C09, C15), SIGTERM in between."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from bench.process import free_port
from tests.filmroom.running import SECONDS_MAX, Node, run, start

TOOLS = Path("/usr/bin")
pytestmark = pytest.mark.skipif(
    not (TOOLS / "storescu").exists(), reason="DCMTK is not installed: apt-get install dcmtk"
)


def dcmtk(tool: str, *words: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOOLS / tool, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS_MAX,
        check=False,
    )


def at(node: Node) -> tuple[str, ...]:
    return ("-aec", "FILMROOM", node.dicom[0], str(node.dicom[1]))


def test_store_find_move(tmp_path: Path, images: Path) -> None:
    port = free_port()
    received = tmp_path / "received"
    received.mkdir()
    with (
        start(tmp_path / "store", "--peer", f"DEST=127.0.0.1:{port}") as node,
        subprocess.Popen([TOOLS / "storescp", "-od", received, str(port)]) as destination,
    ):
        try:
            assert dcmtk("echoscu", *at(node)).returncode == 0
            stored = dcmtk("storescu", "+sd", *at(node), images)
            assert stored.returncode == 0, stored.stderr
            found = tmp_path / "found"
            found.mkdir()
            keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
            assert dcmtk("findscu", "-S", "-X", *keys, *at(node), folder=found).returncode == 0
            assert len(list(found.iterdir())) == 2
            assert any(run("aet", "test", "DEST", "--store", node.store).returncode == 0 for _ in range(20))
            uid = run("find", "--uids", "--store", node.store).stdout.split()[0]
            wanted = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}")
            moved = dcmtk("movescu", "-S", "-aem", "DEST", *wanted, *at(node))
            assert moved.returncode == 0, moved.stderr
            assert len(list(received.iterdir())) == 6
            unknown = dcmtk("movescu", "-S", "-d", "-aem", "NOBODY", *wanted, *at(node))
            assert "a801" in (unknown.stdout + unknown.stderr).lower()
            assert node.stop() == 0
        finally:
            destination.kill()


def test_sigterm_in_the_middle_of_a_transfer_loses_nothing(tmp_path: Path) -> None:
    from bench.data import Shape, write

    write(Shape(studies=1, series=2, instances=200, rows=128), tmp_path / "many")
    store = tmp_path / "store"
    with start(store) as node:
        words = (TOOLS / "storescu", "-v", "+sd", "+r", *at(node), tmp_path / "many")
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as sender:
            assert sender.stdout is not None
            acknowledged, asked = 0, False
            for line in sender.stdout:
                acknowledged += "Received Store Response (Success)" in line
                if acknowledged == 20 and not asked:  # once: a second one cuts short
                    node.process.send_signal(signal.SIGTERM)
                    asked = True
        assert node.process.wait(SECONDS_MAX) == 0
    assert acknowledged >= 20
    kept = json.loads(run("status", "--json", "--store", store).stdout)["instance_count"]
    assert acknowledged <= kept <= 400
