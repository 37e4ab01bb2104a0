"""A node that is killed between a request for commitment and its report still reports (C19)."""

import signal
import subprocess
from pathlib import Path

import pytest

from bench.data import CT, Shape, write
from tests.filmroom.running import start
from tests.protocols.test_commitment import Modality

SHAPE = Shape(studies=1, series=1, instances=3, stub=True)


def send(port: int, paths: list[Path]) -> None:
    done = subprocess.run(
        ["/usr/bin/storescu", "-aec", "FILMROOM", "127.0.0.1", str(port), *map(str, paths)], check=False, timeout=60
    )
    assert done.returncode == 0


@pytest.mark.parametrize("images", ["before", "after"])
def test_C19_a_request_survives_kill_9(tmp_path: Path, images: str) -> None:
    """``before``: acknowledged images are in the intake, the request is on disk; ``after``: the images are yet to come.

    In both cases the node dies right behind its answer to the request.
    """
    from pydicom import dcmread

    source = tmp_path / "source"
    source.mkdir()
    write(SHAPE, source)
    paths = sorted(source.rglob("*.dcm"))
    wanted = [(CT, str(dcmread(path).SOPInstanceUID)) for path in paths]
    modality = Modality()
    modality.listen()
    peer = f"MODALITY=127.0.0.1:{modality.port}"
    try:
        with start(tmp_path / "store", "--peer", peer) as node:
            if images == "before":
                send(node.dicom[1], paths)
            assert modality.ask(node.dicom[1], wanted) == 0
            node.stop(signal.SIGKILL)
        assert not modality.reports, "the node was killed too late"
        with start(tmp_path / "store", "--peer", peer) as node:
            if images == "after":
                send(node.dicom[1], paths)
            modality.wait()
            assert node.stop() == 0
    finally:
        modality.close()
    [(event_type, report, where)] = modality.reports
    assert (event_type, where) == (1, "new")
    assert [str(item.ReferencedSOPInstanceUID) for item in report.ReferencedSOPSequence] == [uid for _, uid in wanted]
    assert not list((tmp_path / "store/node/commitment").iterdir())
