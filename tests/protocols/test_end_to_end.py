"""The main job with the real engine: DCMTK stores, finds and moves; what arrives is what was sent."""

from pathlib import Path

import pytest
import trio

import engine
from bench.data import Shape, files, write
from engine.ports import Peer
from tests.protocols.serving import Served, serving_in
from tests.protocols.test_get import datasets, getscu
from tests.protocols.test_retrieve import Sink, field, movescu

SHAPE = Shape(studies=1, series=2, instances=20, stub=True)


def pixels(path: Path) -> bytes:
    from pydicom import dcmread

    return bytes(dcmread(path).PixelData)


@pytest.mark.parametrize("where", ["memory://", "folder"])
def test_stored_found_and_moved(tmp_path: Path, where: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    write(SHAPE, source)
    paths = sorted(source.rglob("*.dcm"))
    first = next(iter(files(SHAPE)))

    async def check(served: Served) -> None:
        port = str(served.port)
        code, output = await served.run("storescu", "-aec", "FILMROOM", "127.0.0.1", port, *map(str, paths))
        assert code == 0, output
        keys = ("-k", "8,52=STUDY", "-k", f"20,d={first.study_uid}", "-k", "20,1208", "-k", "8,61")
        _, output = await served.run("findscu", "-v", "-S", *keys, "127.0.0.1", port)
        assert output.count("(Pending)") == 1 and "[40]" in output and "[CT]" in output, output
        keys = ("-k", "8,52=IMAGE", "-k", f"20,d={first.study_uid}", "-k", f"20,e={first.series_uid}", "-k", "8,18")
        _, output = await served.run("findscu", "-v", "-S", *keys, "127.0.0.1", port)
        assert output.count("(Pending)") == 20, output
        async with Sink(target) as sink:
            served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.port)
            output = await movescu(served, "SINK", "8,52=STUDY", f"20,d={first.study_uid}")
            assert field(output, "DIMSE Status")[-1].startswith("0x0000"), output
            assert field(output, "Completed Suboperations")[-1] == "40"
        arrived = sorted(pixels(path) for path in target.iterdir())
        assert arrived == sorted(pixels(path) for path in paths)
        got = tmp_path / "got"
        got.mkdir()
        output = await getscu(served, got, "8,52=STUDY", f"20,d={first.study_uid}")
        assert field(output, "Completed Suboperations")[-1] == "40"
        assert datasets(got) == datasets(source), "C-GET sends what storescu sent, byte for byte"

    async def main() -> None:
        url = where if where == "memory://" else str(tmp_path / "store")
        async with engine.open(url) as archive:
            await serving_in(check, archive)

    trio.run(main)
