"""Every block of docs/embedding.md, in its order, in a folder where nothing is; and what it says of two at once."""

import fcntl
import subprocess
from pathlib import Path

import pytest

import engine
from filmroom import blocking
from tests.filmroom.documents import PYTHON, READERS, Block, blocks, write_if_named

BLOCKS = [block for block in blocks("docs/embedding.md") if block.language == "python"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedding")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, *words], cwd=folder, env=READERS, capture_output=True, text=True, timeout=120, check=False
    )


def test_every_block_does_what_is_said(folder: Path) -> None:
    tried = 0
    for block in BLOCKS:
        if write_if_named(block, folder):
            continue
        done = run(folder, "-c", block.code)
        assert done.returncode == 0, told(block, done.stderr)
        assert done.stdout == block.expected, told(block, done.stdout)
        tried += 1
    assert tried == len(BLOCKS) - 2 > 5
    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "2 passed" in done.stdout, done.stdout


def told(block: Block, what: str) -> str:
    return f"docs/embedding.md:{block.line} ({block.heading}): {what}"


def test_who_comes_second_hears_what_to_do(tmp_path: Path) -> None:
    with blocking.open(tmp_path / "store"):
        pass
    with (tmp_path / "store" / "node" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(engine.Conflict, match=r"already: `filmroom status --store .* another folder"):
            blocking.open(tmp_path / "store")
