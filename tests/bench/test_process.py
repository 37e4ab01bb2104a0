"""Servers are watched by what the kernel says of them, and ended by their pid."""

import sys
from pathlib import Path

import pytest

from bench.process import await_line, free_port, started

SPIN = "import os, time\nuntil = time.process_time() + 0.3\nwhile time.process_time() < until: pass\n"
BUSY = f"{SPIN}\nprint('ready', flush=True)\ntime.sleep(60)"
FORKED = (
    f"import os, time\nif not os.fork():\n    exec({SPIN!r})\n    os._exit(0)\n"
    "os.wait()\nprint('ready', flush=True)\ntime.sleep(60)"
)


@pytest.mark.parametrize("script", [BUSY, FORKED], ids=["itself", "a child that was waited for"])
def test_processor_time_is_counted_until_it_rests(tmp_path: Path, script: str) -> None:
    with started([sys.executable, "-c", script], tmp_path, None, {}) as process:
        assert await_line(process, "ready") == "ready"
        process.await_rest()
        assert 0.28 <= process.cpu_seconds() < 1.0
        assert process.resident_bytes() > 1 << 20
    assert process.popen.poll() is not None


def test_a_server_that_ends_at_once_is_an_error(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(RuntimeError, match="did not open its port"), started(command, tmp_path, free_port(), {}):
        pass
