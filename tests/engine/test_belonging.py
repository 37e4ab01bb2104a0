"""What is acknowledged goes into the archive that it was acknowledged for, whatever is opened with its node."""

import shutil
from pathlib import Path

import pytest

import engine
from bench.data import Shape, files
from engine import StoreSettings

from .test_archive import fetched, run, store_all

SHAPE = Shape(studies=1, series=1, instances=3, rows=32, seed=7)


def test_what_waits_in_a_node_goes_into_no_other_archive(tmp_path: Path) -> None:
    def settings(archive: str, node: str) -> StoreSettings:
        return StoreSettings(url=str(tmp_path / archive), node_dir=str(tmp_path / node))

    async def work() -> None:
        sent = list(files(SHAPE))
        async with engine.open(settings=settings("one", "node")) as archive:
            await store_all(archive, sent)
            in_the_making = shutil.ignore_patterns("making", "*.new", "index")
            shutil.copytree(tmp_path / "node", tmp_path / "killed", ignore=in_the_making)  # as kill -9 leaves it
        with pytest.raises(engine.Conflict, match="another archive"):
            async with engine.open(settings=settings("two", "killed")):
                pass
        async with engine.open(settings=settings("one", "killed")) as archive:
            assert set(await fetched(archive)) == {file.sop_instance_uid for file in sent}
        async with engine.open(settings=settings("two", "killed")) as archive:  # nothing waits any more
            assert await fetched(archive) == {}

    run(work)
