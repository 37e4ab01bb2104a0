"""Objects under their hash: kept once, mended when torn, told apart when two contents have one hash."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.errors import Corrupt, Unavailable
from engine.keep.bucket import MemoryStore
from engine.keep.content_digest import address
from engine.keep.copying import Buffer
from engine.keep.folder import FolderStore
from engine.keep.keeping import keep_object, keep_objects, read_pieces
from engine.keep.objects import ObjectStore
from engine.keep.paths import object_key
from engine.limits import LIMITS, Limits
from engine.model import FileRange

CONTENT = b"the bytes of an instance" * 1000
NAME = address([CONTENT])


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return MemoryStore() if request.param == "memory" else FolderStore(tmp_path / "archive")


def same_for_all(parts: Iterable[Buffer]) -> str:
    """A hash under which everything collides."""
    assert list(parts) is not None
    return NAME


def stored_names(store: ObjectStore) -> list[str]:
    return [key.rpartition("/")[2] for key in store.list("t/default/o/")]


def test_the_same_bytes_are_kept_once(store: ObjectStore) -> None:
    assert keep_object(store, "default", NAME, CONTENT) == NAME
    assert keep_object(store, "default", NAME, memoryview(CONTENT)) == NAME
    assert stored_names(store) == [f"{NAME}.dcm"]
    assert store.get(object_key("default", NAME)) == CONTENT


@pytest.mark.parametrize("torn", [b"", CONTENT[:-1], CONTENT[:4096] + b"\0" * (len(CONTENT) - 4096), CONTENT + b"x"])
def test_a_torn_object_is_replaced(store: ObjectStore, torn: bytes) -> None:
    store.create(object_key("default", NAME), [torn], durable=True)
    assert keep_object(store, "default", NAME, CONTENT) == NAME
    assert store.get(object_key("default", NAME)) == CONTENT
    assert stored_names(store) == [f"{NAME}.dcm"]


def test_other_bytes_of_the_same_hash_get_a_suffix(store: ObjectStore) -> None:
    contents = [b"first", b"second", b"third, longer"]
    expected = [NAME, f"{NAME}.1", f"{NAME}.2"]
    for _ in range(2):
        assert [keep_object(store, "default", NAME, one, address=same_for_all) for one in contents] == expected
    assert [store.get(object_key("default", name)) for name in expected] == contents


@pytest.mark.parametrize("rewrite", [True, False])
def test_recovery_never_overwrites_the_other_of_two_colliding_contents(store: ObjectStore, rewrite: bool) -> None:
    keep_object(store, "default", NAME, b"first", address=same_for_all)
    assert keep_object(store, "default", NAME, b"second", rewrite=rewrite, address=same_for_all) == f"{NAME}.1"
    assert store.get(object_key("default", NAME)) == b"first"


def test_endless_collisions_are_refused(store: ObjectStore) -> None:
    limits = Limits(collisions_max=3)
    for number in range(3):
        keep_object(store, "default", NAME, b"%d" % number, address=same_for_all, limits=limits)
    with pytest.raises(Unavailable):
        keep_object(store, "default", NAME, b"one more", address=same_for_all, limits=limits)


def test_recovery_writes_the_same_bytes_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    keep_object(store, "default", NAME, CONTENT)
    path = tmp_path / object_key("default", NAME)
    inode = path.stat().st_ino
    keep_object(store, "default", NAME, CONTENT)
    assert path.stat().st_ino == inode
    keep_object(store, "default", NAME, CONTENT, rewrite=True)
    assert path.stat().st_ino != inode
    assert store.pending_count == 2
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("length", [0, 100, LIMITS.read_bytes * 2 + 5, LIMITS.gather_bytes_max + 9])
def test_a_range_of_a_file_is_a_source(store: ObjectStore, length: int) -> None:
    content = os.urandom(length)
    name = address([content])
    key = object_key("default", name)
    with tempfile.TemporaryFile() as segment:
        segment.write(b"x" * 5001 + content + b"y")
        segment.flush()
        source = FileRange(segment.fileno(), 5001, length)
        assert keep_object(store, "default", name, source) == name
        assert keep_object(store, "default", name, source, rewrite=True) == name
        assert b"".join(read_pieces(store, key)) == content
        store.put(key, [content[:-1] + b"!"], durable=False)
        assert keep_object(store, "default", name, source) == name
        assert store.get(key) == content


def test_an_object_that_the_disk_cannot_read_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    keep_object(store, "default", NAME, CONTENT)
    real = os.pread

    def fail(*arguments: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", fail)
        with pytest.raises(Corrupt):
            list(read_pieces(store, object_key("default", NAME)))
        assert keep_object(store, "default", NAME, CONTENT) == NAME
    assert os.pread is real
    assert store.get(object_key("default", NAME)) == CONTENT
    assert store.pending_count == 2


def test_many_are_kept_at_once(store: ObjectStore) -> None:
    contents = [os.urandom(500) for _ in range(20)]
    names = [address([content]) for content in contents]
    store.create(object_key("default", names[3]), [contents[3][:100]], durable=True)
    keep_object(store, "default", names[4], contents[4])
    with tempfile.TemporaryFile() as segment:
        segment.write(b"".join(contents))
        segment.flush()
        sources = [(name, FileRange(segment.fileno(), at * 500, 500)) for at, name in enumerate(names)]
        assert keep_objects(store, "default", sources) == names
        assert keep_objects(store, "default", sources, rewrite=True) == names
    assert [store.get(object_key("default", name)) for name in names] == contents


def test_a_rewrite_syncs_the_bytes_before_they_take_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object may be durable, and the only bytes of an earlier record: power loss must not find it torn."""
    store = FolderStore(tmp_path / "archive", checkpoint="files")
    keep_object(store, "default", NAME, CONTENT)
    store.sync_pending()
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: steps.append(f"sync of {os.fstat(fd).st_size}") or fsync(fd))
    monkeypatch.setattr(os, "replace", lambda *names: steps.append("replace") or replace(*names))
    keep_object(store, "default", NAME, CONTENT, rewrite=True)
    assert steps == [f"sync of {len(CONTENT)}", "replace"]
