"""Kills at the first, second and last of each system call of one ingest, as the kernel sees them."""

from pathlib import Path

import pytest

from tests.durability import tracing
from tests.durability.files import plan

SENDS = plan(78, 12)
# What one ingest must be seen to call on store paths, or the trace is blind. (It makes no link: see the decisions.)
NEEDED = {"openat", "pwrite64", "write", "fallocate", "ftruncate", "fdatasync", "fsync", "copy_file_range", "writev"}
REFUSAL = tracing.refusal()
pytestmark = pytest.mark.skipif(bool(REFUSAL), reason=REFUSAL or "-")


def test_killed_at_each_system_call(tmp_path: Path) -> None:
    places = tracing.places(tmp_path, SENDS)
    assert places.keys() >= NEEDED
    for names in (("mkdir", "mkdirat"), ("rename", "renameat2"), ("unlink", "unlinkat")):
        assert places.keys() & set(names)
    killed, problems = set(), []
    for call, at in places.items():
        for place in at:
            was_killed, found = tracing.kill(tmp_path / f"{call}-{place}", SENDS, call, place)
            problems += found
            if was_killed:
                killed.add((call, place))
    assert problems == []
    # Threads run differently each time, so the very last one may not come again; the first ones do.
    assert {call for call, _ in killed} == places.keys()
