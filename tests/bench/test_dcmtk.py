"""The tools that are measured are DCMTK's, whatever else has their names."""

from pathlib import Path

import pytest

from bench import dcmtk

STRANGER = "#!/bin/sh\necho 'usage: storescu [options]' >&2\nexit 2\n"
OURS = "#!/bin/sh\necho '$dcmtk: storescu v3.6.7 2022-04-22 $'\n"


def program(folder: Path, text: str, mode: int = 0o755) -> Path:
    folder.mkdir()
    (folder / "storescu").write_text(text)
    (folder / "storescu").chmod(mode)
    return folder


def test_programs_of_the_same_name_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = program(tmp_path / "venv", STRANGER)
    unusable = program(tmp_path / "unusable", OURS, 0o644)
    right = program(tmp_path / "dcmtk", OURS)
    dcmtk.tool.cache_clear()
    monkeypatch.setenv("PATH", f"{stranger}:{unusable}:{tmp_path / 'missing'}:{right}:/bin")
    assert dcmtk.tool("storescu") == str(right / "storescu")
    dcmtk.tool.cache_clear()
    monkeypatch.setenv("PATH", f"{stranger}:{unusable}")
    assert not dcmtk.is_installed("storescu")
    with pytest.raises(RuntimeError, match="DCMTK's storescu is not on the path"):
        dcmtk.tool("storescu")
    dcmtk.tool.cache_clear()
