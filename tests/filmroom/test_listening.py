"""A node that cannot listen says why, in one line, before it has announced anything."""

import errno
import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import trio

from filmroom.exits import code_of
from filmroom.listening import listen
from tests.filmroom.running import COMMAND, ENVIRONMENT, Node, run

FREE = ("--dimse-port", "0", "--http-port", "0", "--insecure")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--host", "192.0.2.1", *FREE), 2, "192.0.2.1 is not an address of this machine"),
        (("--host", "nosuch.invalid", *FREE), 2, "unknown host"),
        (("--dimse-port", "80000"), 2, "--dimse-port: 80000 is not a whole number from 0 to 65535"),
    ],
)
def test_why_it_cannot_listen(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = run("serve", tmp_path / "store", *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr and "listening" not in done.stderr


def test_a_low_port_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may: so the system's answer to others is played."""

    async def refuse(port: int, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(trio, "open_tcp_listeners", refuse)
    with pytest.raises(PermissionError, match="below 1024 need root") as refused:
        trio.run(listen, "127.0.0.1", 104, "--dimse-port")
    assert code_of(refused.value) == 4


def test_nothing_is_announced_before_both_ports_are_bound(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", tmp_path / "store", "--dimse-port", "0", "--http-port", port)
    assert done.returncode == 3
    assert f"127.0.0.1:{port}: the port is taken; choose another with --http-port" in done.stderr
    assert "listening" not in done.stderr and done.stdout == ""


def test_a_peer_is_told_the_port_that_is_served(node: Node) -> None:
    at = ("--store", node.store)
    run("aet", "add", "SELF", f"127.0.0.1:{node.dicom[1]}", *at)
    assert f"echoscu -aet SELF -aec FILMROOM 127.0.0.1 {node.dicom[1]}\n" in run("aet", "test", "SELF", *at).stderr
    missing = run("aet", "test", "NOBODY", *at)
    assert f"filmroom aet add NOBODY HOST:PORT --store {node.store}" in missing.stderr


def test_a_demo_that_was_killed_is_swept_up_by_the_next(tmp_path: Path) -> None:
    """And one that is told to end while it fills ends in order."""
    environment = ENVIRONMENT | {"TMPDIR": str(tmp_path)}
    ports = ("--dimse-port", "0", "--http-port", "0")
    with subprocess.Popen([*COMMAND, "demo", *ports], stdout=subprocess.PIPE, env=environment, text=True) as demo:
        assert demo.stdout is not None
        assert any(line.startswith("ready ") for line in demo.stdout)
        demo.kill()
    (left,) = tmp_path.iterdir()
    assert run("demo", "--check", TMPDIR=str(tmp_path)).returncode == 0
    assert list(tmp_path.iterdir()) == [left], "one that was just made may be starting"
    os.utime(left / "node" / "lock", (0, 0))
    done = run("demo", "--check", TMPDIR=str(tmp_path))
    assert (done.returncode, list(tmp_path.iterdir())) == (0, []), done.stderr
    assert done.stdout.count("\n") == 1 and done.stdout.startswith("ready dicom=")


def test_the_log_says_json_lines_and_ready_is_the_last_line(node: Node) -> None:
    assert node.stop(signal.SIGTERM) == 0
    log = (node.store.parent / f"{node.store.name}.log").read_text().splitlines()
    events = [json.loads(line)["event"] for line in log]
    assert events[:2] == ["listening", "ready"]
