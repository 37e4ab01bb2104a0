"""Lean questions count only what is right, against the DICOM port and an archive in memory."""

import pytest
import trio

from bench.asking import (
    IMPLICIT_LITTLE,
    SOP_INSTANCE_UID,
    STUDY_ROOT_MOVE,
    STUDY_UID,
    check_kept,
    find_times_ms,
    instances_of_series,
    move,
    move_all,
    studies_of_patient,
)
from bench.content import Wrong
from bench.data import File
from bench.lean import Association, Target
from engine.ports import Peer
from tests.protocols.serving import STUDY, Served, paper_archive, serving

COUNT = 12
SENT = [File(STUDY, f"{STUDY}.1", f"{STUDY}.1.{number}", "", b"") for number in range(1, COUNT + 1)]


def test_matches_are_those_that_were_stored() -> None:
    async def check(served: Served) -> None:
        target = Target(served.port, "FILMROOM")
        for keys, tag, wanted in (
            (instances_of_series(STUDY, f"{STUDY}.1"), SOP_INSTANCE_UID, [one.sop_instance_uid for one in SENT]),
            (studies_of_patient("P1"), STUDY_UID, [STUDY]),
        ):
            times = await trio.to_thread.run_sync(find_times_ms, target, keys, tag, wanted, 3)
            assert len(times) == 3 and min(times) > 0
            for other, reason in (
                ([*wanted, "1.2"], "1 missing, 0 others"),
                (["1.2", *wanted[1:]], "1 missing, 1 oth"),
            ):
                with pytest.raises(Wrong, match=reason):
                    await trio.to_thread.run_sync(find_times_ms, target, keys, tag, other, 1)

    serving(check, paper_archive(COUNT))


def test_what_was_sent_and_is_not_found_is_an_error() -> None:
    async def check(served: Served) -> None:
        target = Target(served.port, "FILMROOM")
        await trio.to_thread.run_sync(check_kept, target, SENT)
        with pytest.raises(RuntimeError, match="12 found instead of 11; 0 missing, 1 others"):
            await trio.to_thread.run_sync(check_kept, target, SENT[1:])

    serving(check, paper_archive(COUNT))


def test_moves_are_counted_by_their_final_response() -> None:
    async def check(served: Served) -> None:
        target = Target(served.port, "FILMROOM")
        served.peers.known["WS1"] = Peer("WS1", "127.0.0.1", served.port)  # it takes what it sends, and drops it
        burst = await trio.to_thread.run_sync(move_all, target, [(STUDY, COUNT)] * 2, 1)
        assert burst.instances == 2 * COUNT and burst.rate > 0
        for destination, count in (("WS1", COUNT + 1), ("NOWHERE", COUNT)):
            association = await trio.to_thread.run_sync(Association, target, STUDY_ROOT_MOVE, IMPLICIT_LITTLE)
            with pytest.raises(RuntimeError, match="no rate"):
                await trio.to_thread.run_sync(move, association, destination, STUDY, count)
            association.close()

    serving(check, paper_archive(COUNT))
