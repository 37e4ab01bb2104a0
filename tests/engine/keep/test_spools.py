"""Large instances that wait in the intake: hundreds of them take no more descriptors than a few."""

import errno
import os
from pathlib import Path

import msgspec
import pytest
import trio

import engine
from bench.data import Shape, files
from engine import ingest
from engine.errors import Corrupt, Unavailable
from engine.keep.node_directory import DiskNode
from engine.keep.spools import MAPPED_COUNT_MAX
from engine.limits import LIMITS
from tests.engine.keep.test_intake import ORIGIN, open_intake

COUNT = 3 * MAPPED_COUNT_MAX
LARGE = Shape(studies=1, series=1, instances=1, rows=1500)  # 4.5 MB: a spool file


def held(folder: Path) -> int:
    """Descriptors of spool files that this process has, those of its mappings too."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(str(link.readlink()).startswith(f"{folder}/spool/") for link in links)


def test_a_full_intake_of_large_instances_takes_few_descriptors(tmp_path: Path) -> None:
    sent = [os.urandom(300_000) for _ in range(COUNT)]
    first = open_intake(DiskNode(tmp_path), segments=16)
    for one in sent:
        first.wait(first.store(ORIGIN, [one]))
    entries = first.drain(COUNT, 0)
    views = [first.payload(entry) for entry in entries]
    assert [bytes(view) for view in views] == sent, "who looks at one holds it"
    assert held(tmp_path) == COUNT
    del views
    assert held(tmp_path) <= MAPPED_COUNT_MAX
    first.close()
    del first
    again = open_intake(DiskNode(tmp_path), segments=16)
    assert held(tmp_path) <= MAPPED_COUNT_MAX
    for entry, one in zip(again.recovered, sent, strict=True):
        again.check(entry)
        assert bytes(again.payload(entry)) == one
    assert held(tmp_path) <= MAPPED_COUNT_MAX
    again.close()


@pytest.mark.parametrize(("number", "kind"), [(errno.EMFILE, Unavailable), (errno.EIO, Corrupt)])
def test_no_descriptor_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    intake = open_intake(DiskNode(tmp_path))
    intake.wait(intake.store(ORIGIN, [os.urandom(300_000)]))
    (entry,) = intake.drain(10, 0)
    with monkeypatch.context() as short:
        short.setattr(DiskNode, "open_spooled", refuse)
        with pytest.raises(kind):
            intake.payload(entry)
        with pytest.raises(kind):
            intake.pin(entry.lsn)
    assert len(intake.payload(entry)) == 300_000
    intake.close()


def test_a_node_without_descriptors_waits_for_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "LIMITS", msgspec.structs.replace(LIMITS, spill_retry_seconds=0.01))
    opened, refusals = DiskNode.open_spooled, [errno.EMFILE, errno.ENFILE, errno.ENOMEM]

    def scarce(node: DiskNode, name: str) -> int:
        if refusals:
            raise OSError(refusals.pop(), "none is left")
        return opened(node, name)

    monkeypatch.setattr(DiskNode, "open_spooled", scarce)

    async def main() -> None:
        async with engine.open(str(tmp_path)) as archive:
            stored = await archive.store(next(files(LARGE)).data)
            assert stored.outcome == "new" and archive.failure() == ""
            found = await archive.answer(engine.Query(level=engine.Level.STUDY))
            assert [match.study_uid for match in found.matches] == [stored.instance.study_uid]

    trio.run(main)
    assert refusals == []
