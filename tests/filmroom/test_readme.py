"""The journeys of the README, word by word, in a folder where nothing is: its commands by bash, DCMTK's tools and curl.

Only what would meet others on this machine is replaced, the ports, by free ones; and the made-up pictures are small.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.dcmtk import is_installed, tool
from bench.process import free_port
from tests.filmroom.documents import PYTHON, READERS, Block, blocks
from tests.filmroom.running import ENVIRONMENT, SECONDS_MAX

TOOLS = ("echoscu", "dcmsend", "findscu", "movescu", "storescp")
IMAGES = 520
pytestmark = [
    pytest.mark.skipif(not all(map(is_installed, TOOLS)), reason="DCMTK is not installed: apt-get install dcmtk"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: apt-get install curl"),
]


class Reader:
    """Somebody with the README in a folder, a terminal, and a second one in which a node runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"11112": free_port(), "8080": free_port(), "11113": free_port()}
        programs = folder / ".programs"
        programs.mkdir()
        (programs / "filmroom").write_text(f'#!/bin/sh\nexec "{PYTHON}" -m filmroom "$@"\n')
        (programs / "filmroom").chmod(0o755)
        for name in TOOLS:  # pynetdicom's scripts have the same names
            (programs / name).symlink_to(tool(name))
        self.environment = READERS | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "FILMROOM_SERVE_DIMSE_PORT": str(self.ports["11112"]),
            "FILMROOM_SERVE_HTTP_PORT": str(self.ports["8080"]),
        }
        self._background: list[subprocess.Popen[str]] = []

    def types(self, words: str) -> str:
        """A stretch of commands; each must succeed. What they say."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._here(words)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=2 * SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}"
        return done.stdout

    def starts(self, words: str, ready: str = "") -> None:
        """A command that goes on in a terminal of its own, until it prints a line that begins so."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {self._here(words)}"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._background.append(process)
        assert process.stdout is not None
        assert any(line.startswith(ready) for line in process.stdout), words

    def leaves(self) -> None:
        """Ends what was started."""
        for process in self._background:
            process.send_signal(signal.SIGTERM)
            process.wait(SECONDS_MAX)

    def _here(self, words: str) -> str:
        for port, free in self.ports.items():
            words = re.sub(rf"\b{port}\b", str(free), words)
        return words.replace("filmroom bench data ", "filmroom bench data --stub ")


def block_below(heading: str, language: str = "sh", document: str = "README.md") -> Block:
    """The first of a heading that begins so."""
    return next(one for one in blocks(document) if one.heading.startswith(heading) and one.language == language)


def parted(block: Block) -> tuple[str, list[str]]:
    """What is to go on in a terminal, and the commands after it."""
    first, *others = block.code.splitlines()
    assert first.startswith("filmroom serve"), first
    return first, others


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Who has typed the block of the DICOM user already."""
    someone = Reader(tmp_path_factory.mktemp("reader"))
    serving, others = parted(block_below("Five minutes as a DICOM user"))
    someone.starts(serving, "ready ")
    try:
        listener = next(line for line in others if "storescp" in line)
        before, behind = others[: others.index(listener)], others[others.index(listener) + 1 :]
        said = someone.types("\n".join(before))
        assert "StudyInstanceUID" in said
        (someone.folder / "received").mkdir()
        background = re.search(r"storescp[^&]*", listener)
        assert background is not None
        with subprocess.Popen(
            ["bash", "-c", f"exec {someone._here(background[0])}"], cwd=someone.folder, env=someone.environment
        ) as workstation:
            try:
                someone.types("for n in $(seq 100); do echoscu 127.0.0.1 11113 && break; sleep 0.1; done")
                someone.types("\n".join(behind))
                yield someone
            finally:
                workstation.terminate()
    finally:
        someone.leaves()


def test_the_dicom_user_has_it_all_sent(reader: Reader) -> None:
    assert len(list((reader.folder / "received").iterdir())) == IMAGES


def test_the_dicomweb_user_sees_it(reader: Reader) -> None:
    said = reader.types(block_below("Five minutes as a DICOMweb user").code)
    assert '"00081030"' in said  # the study's description was asked for
    assert "00081199" in said  # what was stored
    assert (reader.folder / "study.zip").read_bytes().startswith(b"PK")
    assert (reader.folder / "study.jpg").read_bytes().startswith(b"\xff\xd8")
    assert (reader.folder / "study.json").stat().st_size > IMAGES * 1000
    pytest.importorskip("dicomweb_client")
    python = block_below("Five minutes as a DICOMweb user", "python")
    code = reader._here(python.code)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=reader.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert "0020000D" in done.stdout, done.stderr


def test_who_calls_rest_is_answered(reader: Reader) -> None:
    """Every line of its page. It meets a study that is there, a moment before there was one, and events without end."""
    lines = block_below("REST", document="docs/rest.md").code.replace("\\\n", "").splitlines()
    patience = 'curl() { command curl -sS -m 3 -w " %{http_code}\\n" "$@" || true; }'
    before = f"STUDY=$(filmroom find --uids | head -n 1); CURSOR=; {patience}"
    said = [reader.types(f"{before}\n{line}").split() for line in lines]
    assert [one[-1] for one in said] == ["200", "404", "404", "200", "200", "202"]  # nothing was deleted
    assert "event:" not in said[0] and "retry:" in said[4]


def test_who_works_claims_what_is_to_be_done(reader: Reader) -> None:
    said = reader.types(block_below("The worklist", document="docs/worklist.md").code.replace("curl ", "curl -sSi "))
    assert re.findall(r"HTTP/1.1 (\d+)", said) == ["201", "200", "200", "201"]
    assert "Lung CAD" in said


def test_the_statements_are_asked(reader: Reader) -> None:
    asked, listed = next(one for one in blocks("README.md") if "filmroom conformance" in one.code).code.splitlines()
    asked = asked.replace("HOST:PORT/dicom-web", "127.0.0.1:8080/dicomweb")
    asked = asked.replace("AET@HOST:PORT", "FILMROOM@127.0.0.1:11112")
    assert "C01" in reader.types(asked.replace(" --dimse", " --only C01 --dimse"))
    assert "C01" in reader.types(listed)


def test_who_runs_it_has_it_all_in_hand(reader: Reader) -> None:
    """``rm`` asks, and there is no terminal to ask: the answer is given by its flag."""
    words = block_below("On the command line").code.replace("filmroom rm ", "filmroom rm --yes ")
    said = reader.types(words)
    assert f"{IMAGES} instances" in said
    assert len([path for path in (reader.folder / "out").rglob("*") if path.is_file()]) == IMAGES
    assert "sound" in said


def test_who_embeds_it_finds_what_he_stored(tmp_path: Path) -> None:
    from filmroom.testing import ct_series

    ct_series(1, PatientID="4711")[0].save_as(tmp_path / "image.dcm")
    tried = [
        one for one in blocks("README.md") if one.heading == "Five minutes as a programmer" and one.language == "python"
    ]
    assert len(tried) >= 2
    for block in tried:
        done = subprocess.run(
            [PYTHON, "-c", block.code],
            cwd=tmp_path,
            env=READERS,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert "1.2.826.0" in done.stdout
