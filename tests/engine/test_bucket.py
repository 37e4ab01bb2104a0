"""The archive on a bucket: the bucket is all of it, and a bucket that is away loses nothing."""

import shutil
from pathlib import Path

import pytest

import engine
from bench.data import Shape, files
from bench.distance import Distance
from bench.seaweed import Bucket
from engine import StoreSettings
from engine.house import House

from .test_archive import fetched, kept, run, store_all

SHAPE = Shape(studies=2, series=2, instances=3, rows=32, seed=5)


def test_a_new_node_answers_the_same_when_the_disk_of_the_old_one_is_gone(s3: str, tmp_path: Path) -> None:
    async def work() -> None:
        sent = list(files(SHAPE))
        settings = StoreSettings(url=f"{s3}/lost", node_dir=str(tmp_path / "one"))
        async with engine.open(settings=settings) as archive:
            await store_all(archive, sent)
        shutil.rmtree(tmp_path / "one")
        settings = StoreSettings(url=f"{s3}/lost", node_dir=str(tmp_path / "other"))
        async with engine.open(settings=settings) as archive:
            assert await fetched(archive) == {one.sop_instance_uid: kept(one.data) for one in sent}

    run(work)


def test_what_is_acknowledged_while_the_bucket_is_away_is_there_when_it_is_back(
    service: Bucket, tmp_path: Path
) -> None:
    async def work() -> None:
        sent = list(files(SHAPE))
        with Distance(service.endpoint) as way:
            settings = StoreSettings(
                url=f"{service.url}/away", endpoint=way.endpoint, node_dir=str(tmp_path / "node"), region=service.region
            )
            async with engine.open(settings=settings) as archive:
                way.cut()
                await store_all(archive, sent)
                assert await fetched(archive) == {one.sop_instance_uid: kept(one.data) for one in sent}
                way.restore()
            shutil.rmtree(tmp_path / "node")
            async with engine.open(settings=settings) as archive:
                assert await fetched(archive) == {one.sop_instance_uid: kept(one.data) for one in sent}

    run(work)


def test_a_bucket_that_is_away_says_so_at_once(service: Bucket, tmp_path: Path) -> None:
    with Distance(service.endpoint) as way:
        way.cut()
        settings = StoreSettings(url=f"{service.url}/never", endpoint=way.endpoint, node_dir=str(tmp_path / "node"))
        with pytest.raises(engine.Unavailable):
            House(settings)
