"""A running server: killed while DCMTK and lean senders store to it; full while it is asked to end (H69)."""

import errno
from pathlib import Path

import pytest

from filmroom.exits import Exit
from tests.durability import stowing, trials, working
from tests.durability.facts import examine
from tests.durability.files import Send
from tests.durability.recorder import Call, Fault, When
from tests.durability.scale import many
from tests.durability.serving import STORESCU, Server, send_lean

needs_dcmtk = pytest.mark.skipif(not STORESCU.exists(), reason="DCMTK is not installed: apt-get install dcmtk")
# The trials' limits give a store that refuses 0.5 s, and the ports 5 s at most; a slow machine gets the rest.
END_SECONDS_MAX = 20


def sends_of(seed: int, count: int) -> list[Send]:
    return [Send(seed, number, large=number % 9 == 0) for number in range(count)]


@needs_dcmtk
@pytest.mark.parametrize("seed", range(5))
def test_what_a_server_answered_survives_kill_9(seed: int, tmp_path: Path) -> None:
    assert trials.kill_server(tmp_path, seed) == []


@needs_dcmtk
@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + many(50)))
def test_what_a_server_answered_survives_kill_9_for_long(seed: int, tmp_path: Path) -> None:
    assert trials.kill_server(tmp_path, seed) == []


@pytest.mark.parametrize("seed", range(5))
def test_what_a_server_answered_over_the_web_survives_kill_9(seed: int, tmp_path: Path) -> None:
    assert stowing.kill_server(tmp_path, seed) == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + many(50)))
def test_what_a_server_answered_over_the_web_survives_kill_9_for_long(seed: int, tmp_path: Path) -> None:
    assert stowing.kill_server(tmp_path, seed) == []


@pytest.mark.parametrize("seed", range(2))
def test_what_a_server_answered_of_its_worklist_survives_kill_9(seed: int, tmp_path: Path) -> None:
    assert working.kill_server(tmp_path, seed) == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + many(50)))
def test_what_a_server_answered_of_its_worklist_survives_kill_9_for_long(seed: int, tmp_path: Path) -> None:
    assert working.kill_server(tmp_path, seed) == []


def test_a_server_with_a_full_disk_ends_in_time_and_loses_nothing(tmp_path: Path) -> None:
    store, sends = tmp_path / "store", sends_of(1, 30)
    full = Fault(call=Call.copy_file_range, when=When.fail, error=errno.ENOSPC, first=2, last=1 << 30)
    statuses: dict[int, int] = {}
    with Server(store, log=tmp_path / "log", fault=full) as server:
        send_lean(server.dicom, list(enumerate(sends)), statuses.__setitem__)
        assert set(statuses.items()) == {(index, 0) for index in range(len(sends))}
        assert server.stop(END_SECONDS_MAX) == 0, server.errors
    assert examine(store, sends, statuses, thorough=False) == []


def test_a_server_whose_intake_fails_leaves_and_the_next_start_has_all_that_was_answered(tmp_path: Path) -> None:
    store, sends = tmp_path / "store", sends_of(2, 60)
    broken = Fault(call=Call.pwrite, when=When.fail, error=errno.EIO, first=30, last=1 << 30)
    statuses: dict[int, int] = {}
    with Server(store, log=tmp_path / "log", fault=broken) as server:
        send_lean(server.dicom, list(enumerate(sends)), statuses.__setitem__)
        assert server.process.wait(END_SECONDS_MAX) == Exit.UNREACHABLE
    told = {index for index, status in statuses.items() if status == 0}
    assert 0 < len(told) < len(sends)
    # A record, the zeros of a new segment, or the drain may meet the disk first.
    sentences = (b"nothing more is acknowledged", b"intake failed", b"intake could not be written")
    assert any(sentence in server.errors for sentence in sentences), server.errors
    assert examine(store, sends, told, thorough=False) == []
