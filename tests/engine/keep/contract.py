"""What every object store must do. Each store's test module subclasses ``Contract`` and gives ``make_store``."""

import os
import tempfile
import threading
from abc import ABC, abstractmethod
from pathlib import Path

import pytest
import xxhash

from engine.errors import Conflict, Corrupt, Invalid, Missing
from engine.keep.objects import ObjectStore
from engine.model import FileRange


class Contract(ABC):
    glances = True  # a bucket takes a round trip: never at once
    # Services disagree on the order of "b/1" and "b.dcm". We have no folder whose name begins a file's beside it.
    marks: tuple[str, ...] = ("t/", "t/b/", "t/b/15", "s", "z", "t/a/5")
    listed: tuple[str, ...] = (
        "t/a",
        "t/a.b/1",
        "t/ab/1",
        "t/b/1",
        "t/b/2",
        "t/b~1",
        "t/b.dcm",
        "t/b.1.dcm",
        "u/1",
        "f.json",
    )

    @abstractmethod
    def make_store(self, folder: Path) -> ObjectStore: ...

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return self.make_store(tmp_path)

    @pytest.mark.parametrize("durable", [True, False])
    def test_what_is_created_is_read(self, store: ObjectStore, durable: bool) -> None:
        store.create("t/a/x", [b"one", memoryview(b"two"), bytearray(b""), b"three"], durable=durable)
        assert store.get("t/a/x") == b"onetwothree"
        assert store.size("t/a/x") == 11
        assert store.exists("t/a/x")

    def test_a_glance_gives_a_range_of_what_is_sound(self, store: ObjectStore) -> None:
        content = bytes(range(100))
        store.create("t/a", [content], durable=True)
        address = xxhash.xxh3_128_hexdigest(content)
        seen = b"<" + content[10:30] + b">" if self.glances else None
        assert store.glance("t/a", address, 100, (10, 20), (b"<", b">")) == seen
        assert store.glance("t/a", address, 99, (10, 20), (b"<", b">")) is None
        assert store.glance("t/a", address[::-1], 100, (10, 20), (b"<", b">")) is None
        assert store.glance("t/b", address, 100, (10, 20), (b"<", b">")) is None

    def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        store.create("t/empty", [], durable=True)
        assert store.get("t/empty") == b""
        assert store.size("t/empty") == 0

    @pytest.mark.parametrize("durable", [True, False])
    def test_create_is_exclusive(self, store: ObjectStore, durable: bool) -> None:
        store.create("t/a", [b"first"], durable=durable)
        with pytest.raises(Conflict):
            store.create("t/a", [b"second"], durable=durable)
        assert store.get("t/a") == b"first"

    def test_one_of_many_racing_creates_wins(self, store: ObjectStore) -> None:
        won: list[int] = []
        start = threading.Barrier(8)

        def race(number: int) -> None:
            start.wait()
            for key in range(20):
                try:
                    store.create(f"t/race/{key:02}", [b"%d" % number * 1000], durable=False)
                except Conflict:
                    continue
                won.append(key)

        threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == list(range(20))
        for key in store.list("t/race/"):
            content = store.get(key)
            assert len(content) == 1000
            assert content == content[:1] * 1000

    @pytest.mark.parametrize("durable", [True, False])
    def test_put_replaces_and_creates(self, store: ObjectStore, durable: bool) -> None:
        store.put("t/a", [b"long first content"], durable=durable)
        store.put("t/a", [b"second"], durable=durable)
        assert store.get("t/a") == b"second"

    def test_ranges_are_clipped_at_the_end(self, store: ObjectStore) -> None:
        store.create("t/a", [b"0123456789"], durable=True)
        assert store.get("t/a", 3) == b"3456789"
        assert store.get("t/a", 3, 4) == b"3456"
        assert store.get("t/a", 8, 100) == b"89"
        assert store.get("t/a", 10) == b""
        assert store.get("t/a", 11, 5) == b""
        assert store.get("t/a", 2, 0) == b""

    def test_what_is_not_there_is_missing(self, store: ObjectStore) -> None:
        store.create("t/a", [b"x"], durable=True)
        for key in ("t/b", "u/a", "t/a/below", "t"):
            with pytest.raises(Missing):
                store.get(key)
            with pytest.raises(Missing):
                store.open_range(key)
            assert not store.exists(key)
        with pytest.raises(Missing):
            store.size("t/b")

    def test_an_open_range_holds_the_bytes(self, store: ObjectStore) -> None:
        store.create("t/a", [b"0123456789"], durable=False)
        source = store.open_range("t/a")
        store.delete("t/a")
        if source is not None:
            assert os.pread(source.fd, source.length, source.offset) == b"0123456789"
            os.close(source.fd)

    def test_many_are_opened_and_what_is_not_there_is_left_out(self, store: ObjectStore) -> None:
        store.create("t/a", [b"0123456789"], durable=False)
        store.create("t/c", [b""], durable=False)
        first, missing, folder, last = store.open_ranges(["t/a", "t/b", "t", "t/c"])
        assert missing is None
        assert folder is None
        for source, content in ((first, b"0123456789"), (last, b"")):
            if source is not None:
                assert source.length == len(content)
                assert os.pread(source.fd, 100, source.offset) == content
                os.close(source.fd)

    def test_delete_removes_and_may_be_repeated(self, store: ObjectStore) -> None:
        store.create("t/a", [b"x"], durable=True)
        store.delete("t/a")
        store.delete("t/a")
        store.delete("never/was")
        assert not store.exists("t/a")
        store.create("t/a", [b"again"], durable=True)
        assert store.get("t/a") == b"again"

    def test_list_is_ascending_below_the_prefix_above_after(self, store: ObjectStore) -> None:
        keys = self.listed
        for key in keys:
            store.create(key, [b""], durable=False)
        assert list(store.list("")) == sorted(keys)
        assert list(store.list("t/")) == sorted(key for key in keys if key.startswith("t/"))
        assert list(store.list("t/b/")) == ["t/b/1", "t/b/2"]
        assert list(store.list("none/")) == []
        for after in [*keys, *self.marks]:
            assert list(store.list("t/", after)) == sorted(k for k in keys if k.startswith("t/") and k > after), after

    @pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.b", "a\0b", "a b", "é"])
    def test_other_keys_are_refused(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(Invalid):
            store.create(key, [b""], durable=True)
        with pytest.raises(Invalid):
            store.get(key)
        with pytest.raises(Invalid):
            list(store.list(f"{key}/"))

    @pytest.mark.parametrize("length", [0, 1, 4096, 204_000, (1 << 20) + 7])
    def test_copy_in_takes_a_range_of_a_file(self, store: ObjectStore, length: int) -> None:
        content = os.urandom(length + 300)
        with tempfile.TemporaryFile() as source:
            source.write(content)
            source.flush()
            store.copy_in("t/a", source.fileno(), 123, length, durable=False)
            assert store.get("t/a") == content[123 : 123 + length]
            with pytest.raises(Conflict):
                store.copy_in("t/a", source.fileno(), 0, 1, durable=True)
            with pytest.raises(Corrupt):
                store.copy_in("t/short", source.fileno(), 200, length + 300, durable=True)
        assert not store.exists("t/short")

    def test_copy_in_takes_many_ranges_at_once(self, store: ObjectStore) -> None:
        content = os.urandom(100_000)
        store.create("t/b/7", [b"was there"], durable=True)
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            sources = [(f"t/{'ab'[n % 2]}/{n}", FileRange(file.fileno(), n * 100, n * 9)) for n in range(100)]
            assert store.copy_in_many(sources) == [n != 7 for n in range(100)]
            assert store.copy_in_many([]) == []
            for number, (key, _) in enumerate(sources):
                expected = content[number * 100 : number * 109] if number != 7 else b"was there"
                assert store.get(key) == expected
            with pytest.raises(Corrupt):
                store.copy_in_many([("t/c", FileRange(file.fileno(), 0, 100_001))])
            assert not store.exists("t/c")

    def test_copy_in_from_a_memory_file(self, store: ObjectStore) -> None:
        fd = os.memfd_create("segment")
        try:
            os.write(fd, b"0123456789")
            store.copy_in("t/a", fd, 2, 5, durable=False)
        finally:
            os.close(fd)
        assert store.get("t/a") == b"23456"

    def test_bytes_given_may_change_afterwards(self, store: ObjectStore) -> None:
        given = bytearray(b"before")
        store.create("t/a", [given], durable=False)
        given[:] = b"after!"
        assert store.get("t/a") == b"before"

    def test_a_checkpoint_leaves_nothing_pending(self, store: ObjectStore) -> None:
        for number in range(5):
            store.create(f"t/{number}/x", [b"x"], durable=False)
        store.sync_pending()
        assert store.pending_count == 0
        store.sync_pending()
        assert len(list(store.list("t/"))) == 5
