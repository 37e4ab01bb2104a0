"""Kills at system calls as the kernel sees them, by ``strace``: also those that are made without libc (tantivy's).

One ingest is traced and its calls on store paths are counted, thread by thread (``strace`` counts so when it injects).
Then it is run again for each call, with ``inject=CALL:signal=KILL:when=N``: whichever thread first comes to its Nth
such call dies before the call is made, and all threads with it.
"""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.durability.facts import examine
from tests.durability.files import Send
from tests.durability.host import Order
from tests.durability.node import Died, Node, Refused

CALLS: Final = (
    "openat",
    "pwrite64",
    "write",
    "writev",
    "copy_file_range",
    "fallocate",
    "ftruncate",
    "fdatasync",
    "fsync",
    "syncfs",
    "link",
    "linkat",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
)
END_SECONDS_MAX: Final = 20
_LINE: Final = re.compile(r"^(\d+) +(\w+)\((.*)")
_INJECTED: Final = re.compile(r"^\d+ +\+\+\+ killed by SIGKILL", re.MULTILINE)


def refusal() -> str:
    """Why nothing can be traced here; empty when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed: apt-get install strace"
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"ptrace is not permitted: {tried.stderr.strip()[:200]}"


@contextmanager
def traced(node: Node, output: Path, *words: str) -> Iterator[None]:
    """``strace`` on the node's process and all its threads. It ends with the process, or with the block."""
    command = ["strace", "-f", "-y", "-s", "0", "-o", str(output), "-p", str(node.pid), *words]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        assert "attached" in said, f"strace does not attach: {said}"
        yield
        node.kill()
        tracer.communicate(timeout=END_SECONDS_MAX)
    finally:
        tracer.kill()
        tracer.communicate()


def ingest(root: Path, output: Path, sends: list[Send], *words: str) -> set[int]:
    """One ingest from open to close under ``strace``: what it acknowledged."""
    with Node(Order(root=str(root), traced=True)) as node, traced(node, output, *words):
        try:
            node.tell("go")
            node.opened()
            node.load(sends)
            node.close()
        except (Died, Refused):
            node.drain()
        return set(node.acknowledged)


def places(folder: Path, sends: list[Send]) -> dict[str, list[int]]:
    """For each call on store paths: at the how-manieth of a thread the first, second and last of the process were.

    And the highest there was, since the last may have been of a thread that makes few of them.
    """
    promised = ingest(folder / "store", folder / "trace", sends, "-e", f"trace={','.join(CALLS)}")
    assert promised == set(range(len(sends)))
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[str, list[int]] = {}
    for line in (folder / "trace").read_text(errors="replace").splitlines():
        if (parts := _LINE.match(line)) is None:
            continue
        thread, call, rest = parts.groups()
        counts[thread, call] += 1
        if str(folder / "store") in rest:
            found.setdefault(call, []).append(counts[thread, call])
    return {call: sorted({*at[:2], at[-1], max(at)}) for call, at in sorted(found.items())}


def kill(folder: Path, sends: list[Send], call: str, place: int) -> tuple[bool, list[str]]:
    """Whether it was killed there, and what is wrong with the archive that comes back."""
    folder.mkdir()
    words = ("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={place}")
    promised = ingest(folder / "store", folder / "trace", sends, *words)
    was_killed = _INJECTED.search((folder / "trace").read_text(errors="replace")) is not None
    problems = examine(folder / "store", sends, promised, thorough=False)
    return was_killed, [f"{call}#{place}: {problem}" for problem in problems]
