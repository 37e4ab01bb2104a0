"""The cache in front of a bucket: brought once, checked, bounded, and never in the way of a reader."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import Corrupt, Missing
from engine.keep.bucket import BucketStore, MemoryStore
from engine.keep.cache import Cache
from engine.keep.content_digest import address
from engine.keep.copying import Buffer
from engine.keep.paths import object_key
from engine.limits import Limits
from engine.model import FileRange

SMALL = Limits(cache_file_bytes=1000, cache_bytes_max=3000)


class Counting(MemoryStore):
    """Counts what is brought; holds it back while ``gate`` is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.brought: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def pieces(self, key: str) -> tuple[int, Iterator[Buffer]]:
        self.brought.append(key)
        self.gate.wait(10)
        return super().pieces(key)


def kept(store: BucketStore, content: bytes) -> str:
    key = object_key("default", address([content]))
    store.create(key, [content], durable=True)
    return key


def read(source: FileRange | None) -> bytes:
    assert source is not None
    try:
        return os.pread(source.fd, source.length, source.offset)
    finally:
        os.close(source.fd)


def test_what_is_read_again_is_not_brought_again(tmp_path: Path) -> None:
    store = Counting()
    cache = Cache(store, tmp_path)
    keys = [kept(store, bytes([number]) * 300) for number in range(9)]
    for _ in range(2):
        assert [read(source) for source in cache.open_ranges(keys)] == [bytes([number]) * 300 for number in range(9)]
    assert cache.get(keys[3], 290, 100) == b"\x03" * 10
    assert cache.get(keys[3], 301) == b""
    assert sorted(store.brought) == sorted(keys)
    assert list(tmp_path.iterdir()) == []
    cache.close()


def test_many_who_ask_at_once_bring_it_once(tmp_path: Path) -> None:
    store = Counting()
    key = kept(store, b"x" * 100)
    cache = Cache(store, tmp_path)
    store.gate.clear()
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(read(cache.open_range(key)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    store.gate.set()
    for thread in threads:
        thread.join()
    assert found == [b"x" * 100] * 8
    assert store.brought == [key]


def test_the_oldest_go_and_their_readers_keep_their_bytes(tmp_path: Path) -> None:
    store = Counting()
    cache = Cache(store, tmp_path, SMALL)
    first = kept(store, b"first" * 100)
    held = cache.open_range(first)
    for number in range(12):
        read(cache.open_range(kept(store, bytes([number]) * 500)))
    assert read(held) == b"first" * 100
    assert store.brought.count(first) == 1
    read(cache.open_range(first))
    assert store.brought.count(first) == 2


def test_disk_is_bounded(tmp_path: Path) -> None:
    store = Counting()
    cache = Cache(store, tmp_path, SMALL)
    for number in range(50):
        read(cache.open_range(kept(store, bytes([number]) * 400)))
    assert cache.held_bytes <= SMALL.cache_bytes_max
    large = kept(store, b"l" * 5000)
    assert read(cache.open_range(large)) == b"l" * 5000
    read(cache.open_range(kept(store, b"s" * 900)))
    assert cache.held_bytes <= SMALL.cache_bytes_max


def test_what_is_not_what_its_name_says_is_not_held(tmp_path: Path) -> None:
    store = Counting()
    cache = Cache(store, tmp_path)
    key = object_key("default", address([b"right"]))
    store.create(key, [b"wrong"], durable=True)
    with pytest.raises(Corrupt):
        cache.open_range(key)
    assert cache.open_ranges([key, key]) == [None, None]
    store.put(key, [b"right"], durable=True)
    assert cache.get(key) == b"right"


def test_what_is_not_there_is_missing_and_looked_for_again(tmp_path: Path) -> None:
    store = Counting()
    cache = Cache(store, tmp_path)
    key = object_key("default", address([b"late"]))
    with pytest.raises(Missing):
        cache.open_range(key)
    store.create(key, [b"late"], durable=True)
    assert cache.get(key) == b"late"
