"""The contract for a real S3 service; what a bucket does when its service is away."""

import os
from pathlib import Path

import pytest

from bench.seaweed import Bucket
from engine.clock import Identifiers
from engine.errors import Conflict
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
