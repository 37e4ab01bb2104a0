"""The contract for the memory store; the doors of ``open_store``."""

from pathlib import Path

import pytest

from engine.errors import Invalid
from engine.keep.bucket import MemoryStore
from engine.keep.folder import FolderStore
from engine.keep.objects import ObjectStore
from engine.keep.stores import folder_of, open_store

from .contract import Contract


class TestMemoryStore(Contract):
    def make_store(self, folder: Path) -> ObjectStore:
        return MemoryStore()


def test_a_url_names_a_store(tmp_path: Path) -> None:
    assert isinstance(open_store("memory://"), MemoryStore)
    for url in (str(tmp_path / "plain"), f"file://{tmp_path}/with-scheme"):
        store = open_store(url)
        assert isinstance(store, FolderStore)
        assert store.root.name == "archive"
        assert store.root.is_dir()
        store.close()


def test_two_memory_stores_share_nothing() -> None:
    one, other = open_store("memory://"), open_store("memory://")
    one.create("a", [b"x"], durable=True)
    assert not other.exists("a")


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "https://host/x", "memory://name", "file://relative", "file://", "s3://", "s3:///prefix"]
)
def test_other_urls_are_refused_with_a_reason(url: str) -> None:
    with pytest.raises(Invalid):
        folder_of(url)
