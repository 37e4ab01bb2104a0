"""The demo and its viewer: links, the browser of whoever sits there, and going on without a network."""

import os
import pty
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from filmroom.viewer import package
from protocols.web import ALTERED
from tests.filmroom.running import COMMAND, ENVIRONMENT, wait_until

DEMO = (*COMMAND, "demo", "--dimse-port", "0", "--http-port", "0")


@pytest.fixture
def with_viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which a viewer is laid down."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    package.place().mkdir(parents=True)
    (package.place() / "index.html").write_text("<p>viewer")
    (package.place() / ALTERED).write_text("")
    return ENVIRONMENT | {"XDG_DATA_HOME": str(tmp_path / "data"), "TMPDIR": str(tmp_path)}


def lines_until_ready(demo: "subprocess.Popen[str]") -> list[str]:
    assert demo.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith("ready "):
        lines.append(demo.stdout.readline())
        assert lines[-1], lines
    return lines


def test_it_says_where_the_viewer_and_a_study_are_seen(with_viewer: dict[str, str]) -> None:
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, env=with_viewer, text=True) as demo:
        said = dict(line.split(maxsplit=1) for line in lines_until_ready(demo) if line[0] != " ")
        with urllib.request.urlopen(said["study"].strip(), timeout=30) as answer:
            assert answer.read() == b"<p>viewer"
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
    assert said["study"].startswith(said["viewer"].strip() + "viewer?StudyInstanceUIDs=1.2")


def test_without_a_network_it_says_how_to_get_the_viewer_and_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            DEMO, stdout=subprocess.PIPE, stderr=errors, env=ENVIRONMENT | {"PATH": without_npm(tmp_path)}, text=True
        ) as demo,
    ):
        lines = lines_until_ready(demo)
        assert any("filmroom viewer install" in line for line in lines)
        wait_until(lambda: "the demo goes on without the viewer" in log.read_text())
        assert "filmroom viewer install --from FILE.tgz" in log.read_text()
        with pytest.raises(urllib.error.HTTPError, match="404") as told:
            urllib.request.urlopen(f"http://{lines[-1].split('http=')[1].strip()}/ohif/", timeout=30)
        assert b"filmroom viewer install" in told.value.read()
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0


def without_npm(tmp_path: Path) -> str:
    """A PATH whose npm reaches nothing."""
    (tmp_path / "npm").write_text("#!/bin/sh\necho 'npm error network is down' >&2\nexit 1\n")
    (tmp_path / "npm").chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("environment", "is_opened"),
    [({"DISPLAY": ":9"}, True), ({"DISPLAY": ":9", "CI": "1"}, False), ({"DISPLAY": ""}, False)],
)
def test_the_browser_opens_for_who_sits_at_a_terminal_with_a_display(
    with_viewer: dict[str, str], tmp_path: Path, environment: dict[str, str], is_opened: bool
) -> None:
    opened = tmp_path / "opened"
    (tmp_path / "browser").write_text(f'#!/bin/sh\necho "$1" > {opened}.new; mv {opened}.new {opened}\n')
    (tmp_path / "browser").chmod(0o755)
    quiet = {name: value for name, value in with_viewer.items() if name not in ("CI", "WAYLAND_DISPLAY")}
    said = quiet | {"BROWSER": f"{tmp_path}/browser"} | environment
    ours, theirs = pty.openpty()
    with subprocess.Popen(DEMO, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=said) as demo:
        os.close(theirs)
        text = b""
        while b"ready dicom" not in text:
            text += os.read(ours, 65536)
        if is_opened:
            wait_until(opened.exists)
            assert opened.read_text().strip().endswith("/ohif/")
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
        os.close(ours)
    assert opened.exists() == is_opened
