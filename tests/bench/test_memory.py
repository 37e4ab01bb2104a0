"""Resident memory is seen while it is high, and told by quarters."""

import subprocess
import sys
from pathlib import Path

from bench.memory import Memory, watched
from bench.process import Process

HOLDS = "print(len(bytearray(b'x' * (120 << 20))), flush=True); input()"


def test_the_most_that_a_process_holds_is_seen() -> None:
    popen = subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process = Process(popen, Path("nothing"))
    with watched(process) as memory:
        assert popen.stdout is not None and popen.stdout.readline()
        while len(memory.seen_mib) < 3:
            pass
    popen.communicate(b"\n")
    assert 120 < memory.most_mib < 400


def test_the_course_has_a_value_for_each_quarter() -> None:
    memory = Memory()
    memory.seen_mib = [1, 1, 2, 2, 3, 3, 4, 4]
    assert memory.course() == "quarters 1, 2, 3, 4"
    memory.seen_mib = [5]
    assert memory.course() == "quarters 5, 5, 5, 5"
