"""Looking makes nothing, and says nothing that is not so."""

import json
import os
from pathlib import Path

import pytest

from tests.filmroom.running import run

LOOKS = (
    ("find",),
    ("status",),
    ("verify",),
    ("verify", "--no-deep"),
    ("reindex",),
    ("export", "out"),
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
    "words", [("find", "foo"), ("import",), ("import", "nothing-here"), ("aet", "add", "WS1", "nowhere")], ids=" ".join
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
