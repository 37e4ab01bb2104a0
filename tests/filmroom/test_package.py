"""The public import: what it offers, what it costs, what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

import filmroom
from tests.tidy.reading import ROOT


def test_every_public_name_is_there() -> None:
    assert all(getattr(filmroom, name) is not None for name in filmroom.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = filmroom.nothing


def python(code: str, path: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("module", ["filmroom", "filmroom.blocking", "filmroom.testing"])
def test_help_is_given(module: str) -> None:
    """Of every class and function, without numpy too: annotations resolve."""
    code = f"import pydoc, sys, {module}; sys.modules['numpy'] = None; print(pydoc.render_doc({module}))"
    done = python(code, str(ROOT))
    assert done.returncode == 0, done.stderr
    assert "archive" in done.stdout.lower()


def test_the_import_is_cheap() -> None:
    costly = ("trio", "tantivy", "obstore", "pydicom", "importlib.metadata")
    done = python(f"import filmroom, sys; print([m for m in {costly} if m in sys.modules])", str(ROOT))
    assert done.stdout == "[]\n", done.stderr


def test_a_node_holds_neither_pydicom_nor_numpy() -> None:
    """They would be a third of what it takes when idle."""
    code = "import filmroom.serve, sys; print([m for m in ('pydicom', 'numpy') if m in sys.modules])"
    done = python(code, str(ROOT))
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("room", ["engine", "native", "protocols"])
def test_a_foreign_package_in_our_place_is_refused(tmp_path: Path, room: str) -> None:
    (tmp_path / room).mkdir()
    (tmp_path / room / "__init__.py").write_text("")
    done = python("import filmroom", f"{tmp_path}:{ROOT}", tmp_path)
    assert done.returncode == 1
    assert f"needs its own package '{room}'" in done.stderr
    assert str(tmp_path) in done.stderr
