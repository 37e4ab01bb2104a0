"""What these tests need on the machine. Where it is not installed they are skipped with the command."""

from pathlib import Path
from typing import NoReturn

import pytest

from filmroom.viewer import package
from protocols.web import ALTERED
from tests.tidy.reading import ROOT

CHROMIUM = Path("/usr/bin/chromium")


def chromium() -> Path:
    """The browser."""
    return CHROMIUM if CHROMIUM.exists() else _absent("Chromium", "apt-get install chromium")


def viewer() -> Path:
    """The data folder in which the viewer is: the one that `make` fills, or the user's."""
    for folder in (ROOT / "build" / "data", package.folder().parent.parent):
        if (folder / "filmroom" / "ohif" / package.place().name / ALTERED).is_file():
            return folder
    return _absent("the viewer", "filmroom viewer install")


def _absent(what: str, command: str) -> NoReturn:
    pytest.skip(f"{what} is not installed: {command}")
