"""Fact 9 of the intake: a disk that hangs or is full is said to be so, in time (H69); nothing is promised falsely."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.durability import recorder

DOES_NOT_ANSWER = "Unavailable: the disk of the intake does not answer"
FAILED = "Fenced: the intake failed: nothing more is acknowledged by this process"


def hung(folder: Path, error: int) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.durability.hanging", str(folder / "node"), str(folder / "log"), str(error)]
    environment = {**os.environ, "LD_PRELOAD": str(recorder.shared_object())}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_a_disk_that_hangs_refuses_in_time_and_takes_stores_again_when_it_is_back(tmp_path: Path) -> None:
    told = hung(tmp_path, 0)
    waited = [word for name, word in told.items() if name.startswith("follower")]
    assert len(waited) == 3 and all(word.startswith("Unavailable: the ") for word in waited)
    assert told["late"] == DOES_NOT_ANSWER
    assert told["trouble"] == "the disk of the intake does not answer" and told["acknowledged"] == "0"
    assert (told["leader"], told["after"], told["trouble after"]) == ("kept", "kept", "")


def test_a_disk_that_hangs_and_then_fails_has_promised_nothing(tmp_path: Path) -> None:
    told = hung(tmp_path, errno.EIO)
    assert told["acknowledged"] == "0"
    assert (told["leader"], told["after"]) == (FAILED, FAILED)
    assert told["trouble after"] == "the intake failed: restart the node"
