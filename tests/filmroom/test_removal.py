"""filmroom rm, restore, versions as subprocesses, beside a running node and without one."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from bench.data import Shape, files
from tests.filmroom.running import COMMAND, ENVIRONMENT, run, start


@pytest.mark.parametrize("served", [False, True])
def test_what_is_removed_comes_back(tmp_path: Path, images: Path, served: bool) -> None:
    store = tmp_path / "store"
    assert run("import", images, "--store", store).returncode == 0
    if served:
        with start(store):
            remove_and_restore(store)
    else:
        remove_and_restore(store)


def remove_and_restore(store: Path) -> None:
    at = ("--store", store)
    uid = json.loads(run("find", "--json", *at).stdout)[0]["StudyInstanceUID"]
    query = f"StudyInstanceUID={uid}"
    asked = run("rm", query, *at)
    assert asked.returncode == 2 and "--yes" in asked.stderr
    assert json.loads(run("rm", query, "--dry-run", "--json", *at).stdout) == {"study_count": 1, "instance_count": 6}
    assert len(json.loads(run("find", "--json", *at).stdout)) == 2
    done = run("rm", query, "--yes", "--reason", "sent twice", *at)
    assert (done.returncode, done.stdout) == (0, "6 instances of 1 study deleted\n")
    assert f"filmroom restore {query} --store {store}" in done.stderr
    assert len(json.loads(run("find", "--json", *at).stdout)) == 1
    again = run("rm", query, "--yes", *at)
    assert (again.returncode, again.stdout) == (1, "nothing matched\n")
    assert run("verify", *at).returncode == 0
    back = run("restore", query, *at)
    assert (back.returncode, back.stdout) == (0, "6 instances of 1 study restored\n")
    assert len(json.loads(run("find", "--json", *at).stdout)) == 2
    again = run("restore", query, *at)
    assert (again.returncode, again.stdout) == (1, "nothing matched\n")
    assert run("rm", "--yes", *at).returncode == 2


def test_versions_are_listed_and_promoted(tmp_path: Path) -> None:
    one = next(files(Shape(studies=1, series=1, instances=1, rows=16)))
    for number, data in enumerate((one.data, one.data[:-2] + b"\1\2")):
        (tmp_path / f"{number}.dcm").write_bytes(data)
    at = ("--store", tmp_path / "store")
    for number in (0, 1):
        assert run("import", tmp_path / f"{number}.dcm", *at).returncode == 0
    first, second = json.loads(run("versions", one.sop_instance_uid, "--json", *at).stdout)
    assert (first["is_current"], second["is_current"]) == (True, False)
    promoted = json.loads(run("versions", one.sop_instance_uid, "--promote", second["key"], "--json", *at).stdout)
    assert [item["key"] for item in promoted] == [second["key"], first["key"]]
    assert run("versions", one.sop_instance_uid, "--promote", "f" * 32, *at).returncode == 2
    assert run("versions", "1.2.3.4", *at).returncode == 1


@pytest.mark.parametrize(("typed", "left"), [(b"n\n", 12), (b"y\n", 0)])
def test_on_a_terminal_it_asks(tmp_path: Path, images: Path, typed: bytes, left: int) -> None:
    store = tmp_path / "store"
    assert run("import", images, "--store", store).returncode == 0
    ours, theirs = pty.openpty()
    command = [*COMMAND, "rm", "PatientName=*", "--store", str(store)]
    with subprocess.Popen(command, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env=ENVIRONMENT) as asking:
        os.close(theirs)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 1024)
        os.write(ours, typed)
        assert asking.wait(60) == (0 if left == 0 else 1)
    os.close(ours)
    assert b"Delete 12 instances of 2 studies?" in said
    assert json.loads(run("status", "--json", "--store", store).stdout)["instance_count"] == left
