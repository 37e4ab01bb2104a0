"""Looking makes nothing, and says nothing that is not so."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from filmroom import control
from tests.filmroom.running import run
from tests.tidy.reading import ROOT

LOOKS = (
    ("find",),
    ("status",),
    ("verify",),
    ("verify", "--no-deep"),
    ("reindex",),
    ("export", "out"),
    ("send", "PatientID=*", "WS1"),
    ("aet", "ls"),
    ("aet", "add", "WS1", "127.0.0.1:104"),
    ("aet", "rm", "WS1"),
    ("aet", "test", "WS1"),
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    store = tmp_path_factory.mktemp("looking") / "store"
    assert run("import", images, "--store", store).returncode == 0
    return store


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(*words, "--store", "nope", folder=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("filmroom: no archive at nope"), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [("find", "foo"), ("import",), ("import", "nothing-here"), ("aet", "add", "WS1", "nowhere"), ("send", "WS1")],
    ids=" ".join,
)
def test_a_wrong_word_makes_no_store(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run(*words, "--store", "nope", folder=tmp_path).returncode in (2, 3)
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_memory_is_no_place_for_a_command(images: Path) -> None:
    assert run("import", images, "--store", "memory://").returncode == 2


def test_altered_bytes_are_not_exported(tmp_path: Path, images: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "out"
    assert run("import", images, "--store", store).returncode == 0
    altered, lost = sorted((store / "archive").rglob("*.dcm"))[:2]
    body = bytearray(altered.read_bytes())
    body[-1] ^= 1
    altered.chmod(0o600)
    altered.write_bytes(body)
    lost.unlink()
    done = run("export", out, "--json", "--store", store)
    counts = json.loads(done.stdout)
    assert done.returncode == 1
    assert (counts["files"], counts["damaged"], counts["lost"]) == (10, 1, 1)
    assert done.stderr.count("damaged: 1.") == done.stderr.count("lost: 1.") == 1
    assert len([path for path in out.rglob("*") if path.is_file()]) == 10


def test_a_pipe_is_no_file_to_import(tmp_path: Path, images: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "DICOMDIR")
    for name in ("pipe", "DICOMDIR", "/dev/zero"):
        done = run("import", tmp_path / name, images, "--store", tmp_path / "store")
        assert done.returncode == 1
        assert done.stderr == f"bad: {tmp_path / name}: not a regular file\n"


def test_order_may_be_turned_either_way(kept: Path) -> None:
    for words in (("--sort", "-StudyInstanceUID"), ("--sort=-StudyInstanceUID",)):
        uids = run("find", "--uids", *words, "--store", kept).stdout.split()
        assert uids == sorted(uids, reverse=True) and len(uids) == 2
    assert run("verify", "--no-deep", "--store", kept).returncode == 0


def test_a_damaged_journal_is_said_by_reindex_too(tmp_path: Path, images: Path) -> None:
    """A seal that is cut costs no record, an entry does: neither passes for well."""
    store = tmp_path / "store"
    assert run("import", images, "--store", store).returncode == 0
    assert run("status", "--store", store).returncode == 0  # opens an epoch: the seal of the first is known from there
    entries = sorted((store / "archive").rglob("j/*/00000001/*"))
    os.truncate(entries[-1], entries[-1].stat().st_size - 1)
    done = run("reindex", "--store", store)
    assert (done.returncode, done.stdout) == (1, "12 records indexed\n")
    assert done.stderr.startswith("damage: t/default/j/") and done.stderr.count(entries[-1].name) == 1
    os.truncate(entries[0], entries[0].stat().st_size - 1)
    done = run("reindex", "--store", store)
    assert (done.returncode, done.stdout) == (1, "")
    assert "bring it back from a copy" in done.stderr
    assert "a journal entry is cut short" in done.stderr and entries[0].name in done.stderr
    assert len(run("find", "--store", store).stdout.splitlines()) == 2
    shutil.rmtree(store / "node" / "index")
    checks = json.loads(run("doctor", "--json", "--store", store).stdout)
    fixes = [check["fix"] for check in checks if check["state"] == "bad"]
    assert "bring it back from a copy of the archive; filmroom verify names it" in fixes


@pytest.mark.parametrize("word", ["StudyDate=2004", "StudyDate=2004-01-01", "StudyTime=25", "StudyDate=20041301"])
def test_a_moment_that_cannot_be_is_no_empty_answer(kept: Path, word: str) -> None:
    done = run("find", word, "--store", kept)
    assert done.returncode == 2
    assert " is " in done.stderr and "range" in done.stderr


def test_one_form_of_answer_at_a_time(kept: Path) -> None:
    assert run("find", "--json", "--uids", "--store", kept).returncode == 2


def test_what_is_sound_is_counted(kept: Path) -> None:
    told = json.loads(run("verify", "--json", "--store", kept).stdout)
    size = sum(path.stat().st_size for path in (kept / "archive").rglob("*.dcm"))
    assert (told["objects"], told["size_bytes"], told["damaged"], told["findings"]) == (12, size, 0, [])
    assert run("verify", "--store", kept).stdout.startswith("sound: 12 objects, ")
    figures = json.loads(run("status", "--json", "--store", kept).stdout)
    assert (figures["running"], figures["dicom"], figures["instance_count"]) == (False, "", 12)
    assert figures["url"] == str(kept) and figures["free_bytes"] > 0


def test_nobody_else_reads_what_is_kept(kept: Path) -> None:
    for place in ("archive", "node", "node/index", "node/intake"):
        assert (kept / place).stat().st_mode & 0o777 == 0o750, place


def test_older_versions_are_not_left_out_silently(tmp_path: Path, images: Path) -> None:
    store, other = tmp_path / "store", tmp_path / "other.dcm"
    first = sorted(images.iterdir())[0]
    body = bytearray(first.read_bytes())
    body[-1] ^= 1
    other.write_bytes(body)
    assert run("import", first, "--store", store).returncode == 0
    assert run("import", other, "--store", store).returncode == 0
    done = run("export", tmp_path / "out", "--store", store)
    assert done.returncode == 0
    assert "1 older version not exported" in done.stderr
    assert done.stdout.startswith("1 file (") and done.stdout.endswith("STUDY/SERIES/INSTANCE.dcm\n")


def test_the_system_s_errors_are_sentences(tmp_path: Path, kept: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("export", tmp_path / "file" / "out", "--store", kept)
    assert done.returncode == 3
    assert "Not a directory" in done.stderr and "Errno" not in done.stderr


def test_what_is_no_dicom_file_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n" * 40)
    done = run("import", tmp_path / "passwd", "--store", tmp_path / "store")
    assert (done.returncode, done.stderr) == (1, f"bad: {tmp_path / 'passwd'}: no DICOM data set\n")


def test_nothing_there_is_said_and_no_folder_is_made(tmp_path: Path, kept: Path) -> None:
    done = run("export", "PatientID=NOBODY", tmp_path / "out", "--store", kept)
    assert (done.returncode, done.stdout) == (1, "nothing matched\n")
    assert not (tmp_path / "out").exists()
    done = run("versions", "1.2.3.4.5", "--store", kept)
    assert (done.returncode, done.stdout) == (1, "") and "1.2.3.4.5" in done.stderr
    assert run("find", "SeriesInstanceUID=1.2.3", "--uids", "--store", kept).stdout == ""


def test_a_folder_of_somebody_else_is_said_to_be_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(PermissionError, match=f"{tmp_path} belongs to .+: run this command as") as refused:
        trio.run(control.connect, tmp_path / "node")
    assert "Errno" not in str(refused.value)


def test_no_command_waits_for_the_web_framework() -> None:
    """It took a quarter of a second and half of a command's processor time."""
    program = "import sys, filmroom.access, filmroom.operations; sys.exit('quart' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", program), cwd=ROOT, timeout=60).returncode == 0
