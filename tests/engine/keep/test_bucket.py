"""The contract for a real S3 service; what a bucket does when its service is away."""

import os
from pathlib import Path

import msgspec
import pytest

from bench.distance import Distance
from bench.seaweed import Bucket
from engine.clock import Identifiers
from engine.errors import Conflict, Unavailable
from engine.keep.bucket import open_bucket
from engine.keep.objects import ObjectStore
from engine.limits import Limits
from engine.model import FileRange
from engine.settings import StoreSettings

from .contract import Contract


def settings(service: Bucket) -> StoreSettings:
    """A prefix of its own for each store."""
    prefix = Identifiers().random_id()
    return StoreSettings(url=f"{service.url}/{prefix}", endpoint=service.endpoint, region=service.region)


class TestBucketStore(Contract):
    glances = False
    marks = ("t/b/15", "s", "z")  # the archive asks behind keys that there are, or were
    listed = ("t/a", "t/ab/1", "t/b/1", "t/b/2", "t/c~1", "t/c.dcm", "t/c.1.dcm", "u/1", "f.json")

    @pytest.fixture(autouse=True)
    def _service(self, service: Bucket) -> None:
        self.service = service

    def make_store(self, folder: Path) -> ObjectStore:
        return open_bucket(settings(self.service))


def test_a_large_object_goes_in_parts(service: Bucket, tmp_path: Path) -> None:
    limits = Limits(bucket_put_bytes_max=1 << 20, bucket_part_bytes=5 << 20, object_bytes_max=1 << 30)
    store = open_bucket(settings(service), limits=limits)
    content = os.urandom(12 << 20)
    (tmp_path / "large").write_bytes(b"head" + content)
    fd = os.open(tmp_path / "large", os.O_RDONLY)
    store.copy_in("t/large", fd, 4, len(content), durable=True)
    with pytest.raises(Conflict):
        store.copy_in("t/large", fd, 4, len(content), durable=True)
    assert store.copy_in_many([("t/large", FileRange(fd, 4, len(content))), ("t/next", FileRange(fd, 0, 4))]) == [
        False,
        True,
    ]
    os.close(fd)
    size, pieces = store.pieces("t/large")
    assert size == len(content)
    assert b"".join(pieces) == content
    store.close()


# A request gets 2 s; of 24 MiB a line that gives 8 MiB a second takes 3 s. Nothing is asked again.
SLOW = Limits(
    bucket_put_bytes_max=6 << 20,
    bucket_part_bytes=6 << 20,
    object_bytes_max=1 << 30,
    bucket_request_seconds_max=2.0,
    bucket_retries_max=0,
)
SLOW_BYTES_A_SECOND = 8 << 20


def test_a_large_object_comes_over_a_line_on_which_it_takes_longer_than_a_request_may(service: Bucket) -> None:
    named, content = settings(service), os.urandom(24 << 20)
    near = open_bucket(named)
    near.put("t/large", [content], durable=True)
    near.close()
    with Distance(service.endpoint, bytes_a_second=SLOW_BYTES_A_SECOND) as way:
        store = open_bucket(msgspec.structs.replace(named, endpoint=way.endpoint), limits=SLOW)
        size, pieces = store.pieces("t/large")
        assert size == len(content)
        assert b"".join(pieces) == content
        store.close()


def test_many_objects_get_through_a_line_that_all_at_once_would_not(service: Bucket, tmp_path: Path) -> None:
    named, length = settings(service), 3 << 20
    (tmp_path / "many").write_bytes(os.urandom(8 * length))
    fd = os.open(tmp_path / "many", os.O_RDONLY)
    sources = [(f"t/{number}", FileRange(fd, number * length, length)) for number in range(8)]
    with Distance(service.endpoint, bytes_a_second=SLOW_BYTES_A_SECOND) as way:
        store = open_bucket(msgspec.structs.replace(named, endpoint=way.endpoint), limits=SLOW)
        assert store.copy_in_many(sources) == [True] * 8
        store.close()
    os.close(fd)
    near = open_bucket(named)
    assert [near.size(key) for key, _ in sources] == [length] * 8
    near.close()


def test_of_a_bucket_that_is_not_there_no_object_is_missing(service: Bucket) -> None:
    store = open_bucket(StoreSettings(url="s3://nosuchbucket/x", endpoint=service.endpoint, region=service.region))
    with pytest.raises(Unavailable, match="no such bucket"):
        store.get("t/one")
    store.close()
