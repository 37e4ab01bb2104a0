"""The viewer's suite: a real browser, our server and nginx; no figure unless what is shown is what was stored."""

import json
import shutil
from pathlib import Path

import pytest

from bench import static_site
from bench.__main__ import main
from bench.static_site import Given
from tests.browser import installed

pytestmark = pytest.mark.usefixtures("quick_rest")


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    installed.chromium()
    monkeypatch.setenv("XDG_DATA_HOME", str(installed.viewer()))
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    out = ["--folder", str(tmp_path / "bench"), "--out", str(tmp_path / "results.json")]
    return ["run", "viewer", "--scale", "0.01", "--rounds", "1", *out]


def test_a_study_is_opened_from_both(words: list[str], tmp_path: Path) -> None:
    main(words)
    found = json.loads((tmp_path / "results.json").read_bytes())
    assert not found["refusals"]
    assert {line["measure"]: line["pairs"] for line in found["lines"]} == {
        "study to first image": 2,
        "from an empty window": 2,
    }
    assert all(line["ours"] > 0 and line["theirs"] > 0 for line in found["lines"])


def test_a_frame_that_is_not_what_was_stored_gives_no_figure(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bent(origin: str, path: str, accept: str) -> Given:
        given = asked(origin, path, accept)
        return Given(given.path, given.content_type, given.body[:-200] + b"!" + given.body[-199:])

    asked = static_site.ask
    monkeypatch.setattr(static_site, "ask", bent)
    assert main(words) == 1
    found = json.loads((tmp_path / "results.json").read_bytes())
    assert not found["lines"] and "a frame is not what was stored" in found["refusals"][0]["reason"]
