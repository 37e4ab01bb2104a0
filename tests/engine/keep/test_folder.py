"""The contract for the folder store in both ways of checkpoint; what it leaves on disk; what failing calls do."""

import errno
import gc
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.clock import SeededIdentifiers
from engine.errors import Fenced, Unavailable
from engine.keep import posix
from engine.keep.folder import FolderStore
from engine.keep.objects import ObjectStore
from engine.limits import Limits
from engine.model import FileRange

from .contract import Contract


class TestFolderFiles(Contract):
    def make_store(self, folder: Path) -> ObjectStore:
        return FolderStore(folder / "archive", checkpoint="files")


class TestFolderAuto(Contract):
    def make_store(self, folder: Path) -> ObjectStore:
        return FolderStore(folder / "archive", checkpoint="auto")


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def open_descriptors() -> int:
    gc.collect()  # what other tests left to the collector would go at any moment
    return len(list(Path("/proc/self/fd").iterdir()))


def test_leftovers_are_removed_at_open(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    FolderStore(root).close()
    (root / ".incoming" / "half").write_bytes(b"half a file")
    store = FolderStore(root)
    assert files_below(root) == []
    assert list(store.list("")) == []


def test_objects_survive_reopening(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "a" / "b" / "archive")
    store.create("t/x", [b"kept"], durable=True)
    store.close()
    assert FolderStore(tmp_path / "a" / "b" / "archive").get("t/x") == b"kept"


def test_descriptors_are_held_until_the_checkpoint_and_then_given_back(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, checkpoint="files")
    before = open_descriptors()
    for number in range(10):
        store.create(f"t/{number}", [b"x"], durable=False)
    assert store.pending_count == 10
    assert open_descriptors() == before + 10
    store.sync_pending()
    assert open_descriptors() == before


def test_too_many_pending_files_are_synced_without_being_asked(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, checkpoint="files", limits=Limits(pending_files_max=20))
    before = open_descriptors()
    for number in range(70):
        store.create(f"t/{number}", [b"x"], durable=False)
        assert store.pending_count < 20
        assert open_descriptors() < before + 20
    assert len(list(store.list("t/"))) == 70


def fail_with(number: int) -> Callable[..., None]:
    def fail(*arguments: object, **named: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("call", ["writev", "open", "rename_new", "makedirs"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.EACCES])
def test_a_failed_call_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, call: str, number: int
) -> None:
    store = FolderStore(tmp_path, identifiers=SeededIdentifiers())
    before = open_descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(posix if call == "rename_new" else os, call, fail_with(number))
        with pytest.raises(Unavailable):
            store.create("t/x", [b"content"], durable=durable)
    assert files_below(tmp_path) == []
    assert open_descriptors() == before
    store.create("t/x", [b"content"], durable=durable)
    assert store.get("t/x") == b"content"


@pytest.mark.parametrize("kth", [1, 2, 3])
def test_a_failed_sync_of_a_durable_object_fences_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kth: int
) -> None:
    """File, its directory, a directory above: whichever fails, nothing is promised any more, and nothing is retried."""
    store = FolderStore(tmp_path)
    calls = 0
    real = os.fsync

    def fsync(fd: int) -> None:
        nonlocal calls
        calls += 1
        if calls == kth:
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    before = open_descriptors()
    with pytest.raises(Fenced):
        store.create("t/x", [b"content"], durable=True)
    assert calls == kth
    with pytest.raises(Fenced):
        store.create("t/y", [b"content"], durable=False)
    with pytest.raises(Fenced):
        store.sync_pending()
    with pytest.raises(Fenced):
        store.put("t/y", [b"content"], durable=True)
    assert calls == kth
    assert open_descriptors() == before
    assert files_below(tmp_path / ".incoming") == []
    if store.exists("t/x"):
        assert store.get("t/x") == b"content"


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_a_failed_checkpoint_by_files_fences_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store = FolderStore(tmp_path, checkpoint="files")
    for number in range(3):
        store.create(f"t/{number}", [b"x"], durable=False)
    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail_with(errno.EIO))
        with pytest.raises(Fenced):
            store.sync_pending()
    with pytest.raises(Fenced):
        store.sync_pending()
    assert store.get("t/1") == b"x"  # what is there can be read


def test_a_failed_checkpoint_by_syncfs_fences_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    if store.checkpoint != "syncfs":
        pytest.skip("this file system has no syncfs that reports errors")
    store.create("t/x", [b"x"], durable=False)
    with monkeypatch.context() as patched:
        patched.setattr(posix, "syncfs", fail_with(errno.EIO))
        with pytest.raises(Fenced):
            store.sync_pending()
    with pytest.raises(Fenced):
        store.create("t/y", [b"x"], durable=False)


def test_a_file_system_without_exclusive_rename_is_served_by_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        def renameat2(self, *arguments: object) -> int:
            posix.ctypes.set_errno(errno.EINVAL)
            return -1

    monkeypatch.setattr(posix, "_LIBC", Library())
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"content")
    posix.rename_new(str(source), str(target))
    assert files_below(tmp_path) == ["target"]
    source.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        posix.rename_new(str(source), str(target))
    assert target.read_bytes() == b"content"


def test_what_the_kernel_cannot_copy_is_read_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path / "archive")
    monkeypatch.setattr(os, "copy_file_range", fail_with(errno.EXDEV))
    content = os.urandom(3_000_000)
    (tmp_path / "source").write_bytes(content)
    with (tmp_path / "source").open("rb") as source:
        store.copy_in("t/x", source.fileno(), 5, 2_999_000, durable=False)
    assert store.get("t/x") == content[5 : 5 + 2_999_000]


def test_files_are_not_readable_by_everybody(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "archive")
    store.create("t/x", [b"x"], durable=True)
    assert (store.root / "t" / "x").stat().st_mode & 0o007 == 0
    assert (store.root / "t").stat().st_mode & 0o007 == 0


def test_ranges_that_cannot_be_copied_leave_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "archive", checkpoint="files")
    (tmp_path / "source").write_bytes(b"0123456789")
    with (tmp_path / "source").open("rb") as source:
        good = FileRange(source.fileno(), 0, 10)
        before = open_descriptors()
        with pytest.raises(Unavailable):
            store.copy_in_many([("t/a", good), ("t/bad", FileRange(9999, 0, 10)), ("t/b", good)])
        assert [store.get(key) for key in store.list("t/")] == [b"0123456789"] * 2
        assert files_below(store.root / ".incoming") == []
        assert store.pending_count == 2
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_descriptors() - 1, hard))
        try:
            with pytest.raises(Unavailable):
                store.copy_in("t/c", source.fileno(), 0, 10, durable=False)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        store.sync_pending()
        assert open_descriptors() == before
    assert sorted(store.list("t/")) == ["t/a", "t/b"]
