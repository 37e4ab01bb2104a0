"""What every suite is given: where to work, how much, and where to put figures."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

from msgspec import Struct

from bench.data import File, Shape, files, write
from bench.report import Report
from bench.results import Settings

T = TypeVar("T")


class Bench(Struct, frozen=True):
    """``scale`` multiplies what is sent; ``rounds`` of A B B A give twice as many pairs."""

    folder: Path
    scale: float
    rounds: int
    report: Report
    settings: Settings = Settings(suites=[])

    @contextmanager
    def room(self, name: str) -> Iterator[Path]:
        """An empty folder for one server's files. It stays until ``clean``: ext4 makes new files at several times their
        cost for some seconds after many were deleted, which would be counted against whoever comes next."""
        rooms = self.folder / "run"
        rooms.mkdir(parents=True, exist_ok=True)
        yield Path(mkdtemp(prefix=name, dir=rooms))

    def clean(self) -> None:
        """Remove what servers have left."""
        shutil.rmtree(self.folder / "run", ignore_errors=True)

    def files(self, shape: Shape) -> list[File]:
        """Generated files in memory."""
        return list(files(shape))

    def paths(self, shape: Shape) -> list[Path]:
        """The same files on disk, for clients that read files; kept between runs."""
        folder = self.folder / "data" / f"seed{shape.seed}"
        write(shape, folder)
        return [
            folder / f"study{study:05d}" / f"series{series:02d}" / f"{number:05d}.dcm"
            for study in range(1, shape.studies + 1)
            for series in range(1, shape.series + 1)
            for number in range(1, shape.instances + 1)
        ]


def shares(whole: list[T], count: int) -> list[list[T]]:
    """Cut into ``count`` stretches of nearly the same length."""
    ends = [len(whole) * number // count for number in range(count + 1)]
    return [whole[first:last] for first, last in pairwise(ends)]
