"""What the tests of the door share: generated files, and a running node as a subprocess."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.filmroom.running import Node, start


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small generated studies of 2 x 3 images."""
    from bench.data import Shape, files

    folder = tmp_path_factory.mktemp("images")
    for file in files(Shape(studies=2, series=2, instances=3, rows=32)):
        (folder / f"{file.sop_instance_uid}.dcm").write_bytes(file.data)
    return folder


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node that serves an empty folder on free ports."""
    with start(tmp_path / "store") as running:
        yield running
