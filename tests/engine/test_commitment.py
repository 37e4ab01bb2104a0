"""Requests for commitment are kept, and nothing is committed that is not there, whole, and durable."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

import engine
from bench.data import CT, File, Shape, files
from engine.errors import Fenced, Unavailable
from engine.keep.folder import FolderStore
from engine.keep.keeping import read_pieces
from engine.limits import LIMITS
from engine.model import Reference

OTHER_CLASS = "1.2.840.10008.5.1.4.1.1.4"
NOWHERE = "1.2.3"
MADE = list(files(Shape(series=1, instances=4, stub=True)))
ASKED = [Reference(CT, file.sop_instance_uid) for file in MADE]
Check = Callable[[engine.Archive], Awaitable[None]]


def in_archive(url: str | Path, check: Check) -> None:
    async def main() -> None:
        async with engine.open(str(url)) as archive:
            await check(archive)

    trio.run(main)


async def stored(archive: engine.Archive, made: list[File] = MADE) -> None:
    for file in made:
        await archive.store(file.data)


@pytest.mark.parametrize("where", ["memory://", "folder"])
def test_each_gets_the_verdict_that_it_deserves(tmp_path: Path, where: str) -> None:
    async def check(archive: engine.Archive) -> None:
        await stored(archive)
        asked = [*ASKED, Reference(CT, NOWHERE), Reference(OTHER_CLASS, ASKED[0].sop_instance_uid)]
        assert await archive.commitments.judge(asked) == ["committed"] * 4 + ["missing", "conflict"]
        assert not await archive.commitments.lacks(ASKED)
        assert await archive.commitments.lacks([*ASKED, Reference(CT, NOWHERE)])

    in_archive(where if "://" in where else tmp_path / "store", check)


def test_what_is_committed_is_on_disk_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No verdict before the objects are synced; and a sync that fails gives none."""
    unsynced: list[int] = []

    def reading(store: FolderStore, key: str) -> Iterator[bytes]:
        unsynced.append(store.pending_count)
        return read_pieces(store, key)

    def failing(store: FolderStore) -> None:
        raise Fenced("a sync failed")

    async def check(archive: engine.Archive) -> None:
        await stored(archive)
        assert await archive.commitments.judge(ASKED) == ["committed"] * 4
        assert unsynced == [0] * 4
        with monkeypatch.context() as patched, pytest.raises(Fenced):
            patched.setattr(FolderStore, "sync_pending", failing)
            await archive.commitments.judge(ASKED)

    monkeypatch.setattr("engine.commitment.read_pieces", reading)
    in_archive(tmp_path / "store", check)


@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
def test_damage_is_found_by_reading_again(tmp_path: Path, harm: str) -> None:
    async def check(archive: engine.Archive) -> None:
        await stored(archive)
        assert await archive.commitments.judge(ASKED) == ["committed"] * 4
        [hit] = [instance async for instance in archive.fetch(SOPInstanceUID=ASKED[2].sop_instance_uid)]
        [path] = (tmp_path / "store").rglob(f"{hit.key}.dcm")
        damage(path, harm)
        assert await archive.commitments.judge(ASKED) == ["committed", "committed", "failed", "committed"]

    in_archive(tmp_path / "store", check)


def damage(path: Path, harm: str) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    if harm == "gone":
        path.unlink()
    else:
        path.chmod(0o600)
        path.write_bytes(raw if harm == "flipped" else raw[:-1])


def test_requests_outlive_the_node_until_they_are_settled(tmp_path: Path) -> None:
    async def ask(archive: engine.Archive) -> None:
        assert await archive.commitments.left() == []
        await archive.commitments.open("MODALITY", "1.9.1", ASKED)
        await archive.commitments.settle(await archive.commitments.open("MODALITY", "1.9.2", ASKED))

    async def again(archive: engine.Archive) -> None:
        [request] = await archive.commitments.left()
        assert (request.requestor, request.transaction_uid) == ("MODALITY", "1.9.1")
        assert list(request.references) == ASKED
        assert archive.commitments.age_seconds(request) >= 0
        newer = await archive.commitments.open("MODALITY", "1.9.1", ASKED[:1])
        assert newer.name == request.name
        assert not await archive.commitments.settle(request), "it was asked for again"
        assert await archive.commitments.load(request.name) == newer
        assert await archive.commitments.settle(newer)
        assert await archive.commitments.settle(newer)

    async def settled(archive: engine.Archive) -> None:
        assert await archive.commitments.left() == []

    for check in (ask, again, settled):
        in_archive(tmp_path / "store", check)


def test_a_damaged_request_is_reported_and_does_not_stop_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(archive: engine.Archive) -> None:
        await archive.commitments.open("MODALITY", "1.9.1", ASKED)
        await archive.commitments.open("MODALITY", "1.9.2", ASKED)

    async def again(archive: engine.Archive) -> None:
        assert len(await archive.commitments.left()) == 1

    in_archive(tmp_path / "store", ask)
    first, _ = sorted((tmp_path / "store/node/commitment").iterdir())
    first.write_bytes(first.read_bytes()[:-3])
    (first.parent / "half.new").write_bytes(b"\x81")
    in_archive(tmp_path / "store", again)
    assert f"node/commitment/{first.name} is damaged" in caplog.text


def test_open_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec

    async def check(archive: engine.Archive) -> None:
        await archive.commitments.open("MODALITY", "1.9.1", ASKED)
        with pytest.raises(Unavailable):
            await archive.commitments.open("MODALITY", "1.9.2", ASKED)

    small = partial(msgspec.structs.replace, LIMITS)
    for bound in ({"commitments_count_max": 1}, {"commitments_bytes_max": 500}):
        monkeypatch.setattr("engine.commitment.LIMITS", small(**bound))
        in_archive("memory://", check)
