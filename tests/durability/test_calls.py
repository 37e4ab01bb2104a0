"""Every system call of one ingest on store paths, at its first, second and last place: killed there, or failing."""

import errno
import shutil
from pathlib import Path

import pytest

from tests.durability import trials
from tests.durability.files import plan
from tests.durability.node import booted
from tests.durability.recorder import Call, Fault, When

SENDS = plan(77, 16)
KILLS = (When.kill_before, When.kill_halfway)
# What one ingest must be seen to call, or the recorder is blind.
NEEDED = {Call.open, Call.pwrite, Call.fdatasync, Call.fsync, Call.rename, Call.mkdir, Call.unlink}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Fault, bool]]:
    """All faults of all calls that an ingest makes; True: in the opening."""
    counted = trials.calls_of_one_ingest(tmp_path_factory.mktemp("counted"), SENDS)
    assert (counted[0] + counted[1]).keys() >= NEEDED
    return [(fault, phase == 0) for phase in (0, 1) for fault in trials.faults(counted[phase])]


def meet_all(folder: Path, chosen: list[tuple[Fault, bool]]) -> list[str]:
    problems: list[str] = []
    for number, (fault, opening) in enumerate(chosen):
        found = trials.meet(folder / str(number), SENDS, fault, opening=opening)
        problems += found
        if not found:  # hundreds of archives with a reserve each
            shutil.rmtree(folder / str(number))
    return problems


@pytest.mark.parametrize("opening", [True, False])
def test_killed_at_each_call(opening: bool, faults: list[tuple[Fault, bool]], tmp_path: Path) -> None:
    assert meet_all(tmp_path, [one for one in faults if one[0].when in KILLS and one[1] == opening]) == []


@pytest.mark.parametrize("opening", [True, False])
def test_no_false_success_when_a_call_fails(opening: bool, faults: list[tuple[Fault, bool]], tmp_path: Path) -> None:
    fails = [one for one in faults if one[0].when in (When.fail, When.short) and one[1] == opening]
    assert meet_all(tmp_path, fails[::3]) == []


@pytest.mark.parametrize("call", [Call.rename, Call.writev, Call.copy_file_range])
def test_close_has_a_bound_while_the_disk_is_full_and_loses_nothing(call: Call, tmp_path: Path) -> None:
    """Without the bound ``close`` raises ``Hangs``."""
    full = Fault(call=call, when=When.fail, error=errno.ENOSPC, first=2, last=1 << 30)
    with booted(tmp_path / "store", log=str(tmp_path / "log")) as node:
        node.ask("aim", full)
        assert node.load(SENDS) == []
        node.close()
    assert trials.examine(tmp_path / "store", SENDS, range(len(SENDS)), thorough=False) == []


@pytest.mark.campaign
def test_every_fault_of_every_call(faults: list[tuple[Fault, bool]], tmp_path: Path) -> None:
    assert meet_all(tmp_path, faults) == []
