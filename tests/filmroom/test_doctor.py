"""filmroom doctor: each thing that can be wrong is seen, and says what to do."""

import fcntl
import json
import os
import resource
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.data import Shape, files
from filmroom import machine_checks
from filmroom.check import Check
from filmroom.machine_checks import OPEN_FILES_MIN, clock, disk, judged_sync, syncs
from filmroom.mounts import mount_of
from native import dataset
from tests.filmroom.datasets import CT, EXPLICIT, Named
from tests.filmroom.running import COMMAND, ENVIRONMENT, run, start
from tests.filmroom.test_damaged import flip

GIB = 1 << 30


@pytest.fixture
def kept(tmp_path: Path, images: Path) -> Path:
    store = tmp_path / "store"
    assert run("import", images, "--store", store).returncode == 0
    return store


def examined(store: Path, code: int = 0, **environment: str) -> dict[str, Check]:
    """By name, of free ports unless said otherwise."""
    ports = {"FILMROOM_SERVE_DIMSE_PORT": "0", "FILMROOM_SERVE_HTTP_PORT": "0"}
    done = run("doctor", "--json", "--store", store, **(ports | environment))
    assert done.returncode == code, done.stdout + done.stderr
    checks = [Check(**one) for one in json.loads(done.stdout)]
    assert all(bool(one.fix) == (one.state != "ok") for one in checks), checks
    return {one.name: one for one in checks}


def test_a_sound_archive_is_well(kept: Path) -> None:
    assert run("verify", "--store", kept).returncode == 0
    checks = examined(kept)
    for name in ("settings", "version", "storing", "clock", "elsewhere", "versions", "DICOM port", "HTTP port"):
        assert checks[name].state == "ok", checks[name]
    assert checks["verify"].state == "ok" and "12 objects, sound" in checks["verify"].found


def test_people_read_a_line_each(kept: Path) -> None:
    lines = run("doctor", "--store", kept).stdout.splitlines()
    assert all(line.split()[0] in ("ok", "warn", "bad") for line in lines) and len(lines) > 10
    assert any(line.startswith("warn verify       never run") for line in lines)


def test_beside_a_node_its_ports_are_not_taken(kept: Path) -> None:
    with start(kept) as node:
        ports = {"FILMROOM_SERVE_DIMSE_PORT": str(node.dicom[1]), "FILMROOM_SERVE_HTTP_PORT": str(node.http[1])}
        checks = examined(kept, **ports)
        assert f"127.0.0.1:{node.dicom[1]}" in checks["ports"].found
        assert "DICOM port" not in checks
        assert node.process.poll() is None


def test_a_taken_port_is_bad(kept: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        checks = examined(kept, 1, FILMROOM_SERVE_DIMSE_PORT=str(port))
        assert (checks["DICOM port"].state, checks["HTTP port"].state) == ("bad", "ok")
        assert checks["DICOM port"].found == f"127.0.0.1:{port}: taken" and "--dimse-port" in checks["DICOM port"].fix
    both = examined(kept, 1, FILMROOM_SERVE_DIMSE_PORT="11119", FILMROOM_SERVE_HTTP_PORT="11119")
    assert "both ports" in both["HTTP port"].found


def test_settings_that_cannot_be_read_are_bad(kept: Path) -> None:
    checks = examined(kept, 1, FILMROOM_STORE_ACK="paper")
    assert list(checks) == ["settings"] and "FILMROOM_STORE_ACK" in checks["settings"].found


def test_without_an_archive_the_machine_is_examined_and_nothing_made(tmp_path: Path) -> None:
    checks = examined(tmp_path / "nope")
    assert checks["archive"].state == "warn" and "no archive at" in checks["archive"].found
    assert {"version", "open files", "disk", "file system"} <= set(checks)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_is_held_by_who_does_not_answer_is_bad(kept: Path) -> None:
    with (kept / "node" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        checks = examined(kept, 1)
    assert "another process serves" in checks["archive"].found


def test_what_the_last_verify_found_is_remembered(kept: Path) -> None:
    assert examined(kept)["verify"].state == "warn"
    file = sorted((kept / "archive").rglob("*.dcm"))[3]
    file.chmod(0o600)
    flip(file, -20)
    assert run("verify", "--store", kept).returncode == 1
    check = examined(kept, 1)["verify"]
    assert check.state == "bad" and "1 damaged" in check.found and "filmroom verify --store" in check.fix
    flip(file, -20)
    assert run("verify", "--store", kept).returncode == 0
    assert examined(kept)["verify"].state == "ok"


def test_what_is_kept_twice_is_counted(tmp_path: Path) -> None:
    """One UID in two studies, and one instance with two contents."""
    store, folder = tmp_path / "store", tmp_path / "files"
    folder.mkdir()
    here, there = Named(1), Named(2)
    for number, named in enumerate((here, there)):
        head = dataset.canonical_head(CT, here.sop, EXPLICIT)
        (folder / f"{number}.dcm").write_bytes(head + named.dataset(sop=here.sop))
    one = next(files(Shape(studies=1, series=1, instances=1, rows=16)))
    (folder / "first.dcm").write_bytes(one.data)
    (folder / "other.dcm").write_bytes(one.data[:-2] + b"\1\2")
    assert run("import", folder, "--store", store).returncode == 0
    checks = examined(store)
    assert checks["elsewhere"].state == checks["versions"].state == "warn"
    assert checks["elsewhere"].found.startswith("1 SOP") and here.sop in checks["elsewhere"].fix
    assert checks["versions"].found.startswith("1 instances") and one.sop_instance_uid in checks["versions"].fix
    found = run(*checks["elsewhere"].fix.split()[1:])
    assert {row["StudyInstanceUID"] for row in json.loads(found.stdout)} == {here.study, there.study}


@pytest.mark.parametrize(("limit", "state", "code"), [(OPEN_FILES_MIN + 1, "warn", 0), (OPEN_FILES_MIN - 1, "bad", 1)])
def test_few_open_files_are_seen(tmp_path: Path, limit: int, state: str, code: int) -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    command = [*COMMAND, "doctor", "--json", "--store", str(tmp_path / "nope")]
    ports = {"FILMROOM_SERVE_DIMSE_PORT": "0", "FILMROOM_SERVE_HTTP_PORT": "0"}
    done = subprocess.run(
        command, env=ENVIRONMENT | ports, preexec_fn=lower, capture_output=True, text=True, timeout=60, check=False
    )
    (check,) = [one for one in json.loads(done.stdout) if one["name"] == "open files"]
    assert (done.returncode, check["state"]) == (code, state)
    assert "ulimit -Hn" in check["fix"]


@pytest.mark.parametrize(
    ("seconds", "state", "word"), [(1e-6, "warn", "ignored"), (3e-4, "ok", ""), (0.2, "warn", "slow")]
)
def test_a_sync_that_costs_nothing_is_none(seconds: float, state: str, word: str) -> None:
    check = judged_sync(seconds)
    assert check.state == state and word in check.fix


def test_syncs_are_timed_and_leave_nothing(tmp_path: Path) -> None:
    assert syncs(tmp_path).found.startswith("fdatasync takes ")
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_went_backward_or_is_far_off(tmp_path: Path) -> None:
    (tmp_path / "now").touch()
    now_us = int((tmp_path / "now").stat().st_mtime * 1e6)
    assert clock(tmp_path, now_us - 1_000_000, now_us).state == "ok"
    back = clock(tmp_path, now_us + 100_000_000, now_us)
    assert back.state == "bad" and back.found.startswith("100 s behind the last record")
    off = clock(tmp_path, 0, now_us + 500_000_000)
    assert off.state == "bad" and "-500 s off" in off.found


@pytest.mark.parametrize(
    ("free_percent", "inodes_percent", "states"),
    [
        (50, 50, {"disk": "ok"}),
        (8, 50, {"disk": "warn"}),
        (4, 50, {"disk": "bad"}),
        (50, 1, {"disk": "ok", "inodes": "bad"}),
    ],
)
def test_little_room_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_percent: int, inodes_percent: int, states: dict[str, str]
) -> None:
    figures = SimpleNamespace(
        f_frsize=4096, f_blocks=100 << 18, f_bavail=free_percent << 18, f_files=1000, f_favail=10 * inodes_percent
    )
    monkeypatch.setattr(machine_checks.os, "statvfs", lambda path: figures)
    found = {check.name: check.state for check in disk(tmp_path, GIB) if check.name != "file system"}
    assert found == states


@pytest.mark.parametrize(
    ("line", "state", "word"),
    [
        ("9 1 0:1 / {at} rw - ext4 /dev/a rw", "ok", ""),
        ("9 1 0:1 / {at} rw - tmpfs tmpfs rw", "bad", "power"),
        ("9 1 0:1 / {at} rw,noatime shared:1 - ext4 /dev/a rw,nobarrier", "bad", "nobarrier"),
        ("9 1 0:1 / {at} ro - xfs /dev/a rw", "bad", "read-only"),
        ("9 1 0:1 / {at} rw - overlay overlay rw", "warn", "volume"),
        ("9 1 0:1 / {at} rw - nfs4 server:/a rw", "warn", "server"),
        ("9 1 0:1 / {at} rw - fuse.sshfs a rw", "warn", "server"),
    ],
)
def test_the_file_system_is_the_nearest_mount(tmp_path: Path, line: str, state: str, word: str) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    mounts = tmp_path / "mountinfo"
    at = str(folder).replace(" ", "\\040")
    root = "1 0 0:1 / / rw - btrfs /dev/b rw\n"
    mounts.write_text(root + line.format(at=at) + "\n" + root.replace(" / / ", " / /elsewhere "))
    check = mount_of(folder, mounts)
    assert check.state == state and word in check.fix
    assert mount_of(tmp_path, mounts).found == "btrfs"


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="no memory file system here")
def test_the_real_table_of_mounts_is_read() -> None:
    assert mount_of(Path("/dev/shm")).found == "tmpfs"
