"""Damaged bytes at rest: found when opened, read or verified; never served, never answered from (H70)."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from engine.keep.intake_format import decode_promised
from tests.durability import flips
from tests.durability.files import Send, plan
from tests.durability.flips import Area, Outcome
from tests.durability.node import booted, fork_server
from tests.durability.scale import many

SEED = 31
CHILD_SECONDS_MAX = 600
ACKNOWLEDGED_COUNT = 8
FEW = {"objects": 40, "journal": 120, "intake": 24, "index": 16}
MANY = {"objects": 500, "journal": 1000, "intake": 250, "index": 250}  # five of each in a campaign: 10,000


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: a thousand starts sync much."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="filmroom-flips-", dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def closed(memory: Path) -> Path:
    """All is spilled and settled."""
    root = memory / "closed"
    with booted(root) as node:
        assert node.load(plan(SEED, 14)) == []
        node.close()
    with booted(root) as node:  # a second epoch, a second segment of the index
        assert node.load([Send(SEED, number) for number in range(40, 44)]) == []
        node.close()
    return root


@pytest.fixture(scope="module")
def acknowledged(memory: Path) -> Path:
    """Killed before anything was spilled: what the spill had made meanwhile is taken away."""
    root = memory / "acknowledged"
    with booted(root) as node:
        for number in range(ACKNOWLEDGED_COUNT):
            last = node.ask("hand_in", Send(SEED, number, large=number == 3))
        while promised_of(root) < last:  # at the next turn of the drain
            node.snapshot()
        node.kill()
    tenant = root / "archive" / "t" / "default"
    for name in ("o", "j"):
        shutil.rmtree(tenant / name, ignore_errors=True)
    shutil.rmtree(root / "node" / "index")
    return root


def promised_of(root: Path) -> int:
    file = root / "node" / "promised"
    return decode_promised(file.read_bytes() if file.exists() else None)


def tried(area: Area, root: Path, seed: int, count: int) -> Outcome:
    """In a child: damage that takes the process with it is a problem like any other."""
    context = fork_server()
    ours, theirs = context.Pipe()
    child = context.Process(target=flips.run, args=(theirs, area, str(root), seed, count), daemon=True)
    child.start()
    theirs.close()
    try:
        assert ours.poll(CHILD_SECONDS_MAX), f"{area}: no outcome within {CHILD_SECONDS_MAX} s"
        outcome: Outcome = ours.recv()
    except EOFError:
        child.join()
        return Outcome(problems=[f"{area}: the child ended with {child.exitcode}"])
    finally:
        child.kill()
        child.join()
    return outcome


@pytest.mark.parametrize("area", get_args(Area))
def test_no_damaged_byte_is_served(area: Area, closed: Path, acknowledged: Path) -> None:
    outcome = tried(area, acknowledged if area == "intake" else closed, 1, FEW[area])
    print(area, dict(outcome.fates))
    assert outcome.problems == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + many(5)))
@pytest.mark.parametrize("area", get_args(Area))
def test_no_damaged_byte_is_served_for_long(area: Area, seed: int, closed: Path, acknowledged: Path) -> None:
    outcome = tried(area, acknowledged if area == "intake" else closed, seed, MANY[area])
    print(area, msgspec.to_builtins(outcome.fates))
    assert outcome.problems == []
