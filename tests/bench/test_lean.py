"""The lean clients count only what is right: checked against the DICOM port with a real log."""

import pytest
import trio

from bench import lean
from bench.data import Shape, files
from tests.protocols.serving import Served, serving
from tests.protocols.storing import StoringArchive


def test_all_senders_store_all_they_have() -> None:
    archive, sent = StoringArchive(), list(files(Shape(series=1, instances=12, stub=True)))

    async def check(served: Served) -> None:
        target = lean.Target(served.port, "FILMROOM")
        burst = await trio.to_thread.run_sync(lean.store, target, [sent[0::3], sent[1::3], sent[2::3]])
        assert burst.instances == 12 and burst.rate > 0

    serving(check, archive)
    assert len(archive.kept()) == 12


def test_no_rate_when_an_answer_is_wrong() -> None:
    sent = list(files(Shape(series=1, instances=2, stub=True)))

    async def check(served: Served) -> None:
        with pytest.raises(RuntimeError, match="no rate"):
            await trio.to_thread.run_sync(lean.store, lean.Target(served.port, "FILMROOM"), [sent])

    serving(check, StoringArchive(object_bytes_max=100))
