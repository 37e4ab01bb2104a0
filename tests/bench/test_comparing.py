"""Two runs beside each other: a verdict only where they part, and what else differed is said."""

import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench import comparing, results
from bench.__main__ import main
from bench.peers import ROOT
from bench.results import Settings
from tests.bench.results_made import MACHINE, made, measured


def around(middle: float, seed: int, count: int = 30) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(middle, middle / 20) for _ in range(count)]


@pytest.mark.parametrize(
    ("unit", "first", "second", "verdict"),
    [
        ("s", around(10, 1), around(5, 2), "better"),
        ("s", around(5, 1), around(10, 2), "worse"),
        ("/s", around(10, 1), around(5, 2), "worse"),
        ("/s", around(10, 1), around(10, 2), "same"),
        ("s", around(10, 1, 4), around(1, 2), ""),  # too few samples
        ("s", [1.0, 10.0] * 4, [1.1, 9.0] * 4, ""),  # it cannot be said
    ],
)
def test_a_verdict_is_given_only_where_the_two_part(
    unit: str, first: list[float], second: list[float], verdict: str
) -> None:
    one, other = (made(measured("filmroom", samples, unit=unit)) for samples in (first, second))
    (change,) = comparing.compare(one, other)
    assert change.verdict() == verdict


def test_rows_that_one_run_lacks_are_left_out() -> None:
    one = made(measured("filmroom", [1.0]), measured("filmroom", [1.0], case="2 workers"))
    other = made(measured("filmroom", [1.0], case="2 workers"), measured("orthanc", [1.0]))
    assert [change.name for change in comparing.compare(one, other)] == ["parallel-move, 2 workers: time of a worker"]


def test_other_machines_and_settings_are_named() -> None:
    other = msgspec.structs.replace(
        made(settings=Settings(suites=["parallel-move"], servers=["filmroom", "orthanc"], seed=2)),
        machine_before=msgspec.structs.replace(MACHINE, kernel="7", load=(9.0, 9.0, 9.0)),
        servers={"filmroom": "tuned"},
    )
    assert comparing.differences(made(), other) == [
        "machine: kernel: 6 | 7",
        "settings: seed: 1 | 2",
        "server filmroom: as shipped | tuned",
    ]


def test_the_command_compares_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for path, middle in zip(paths, (5, 10), strict=True):
        results.write(made(measured("filmroom", around(middle, 3))), Path(path))
    assert main(["compare", *paths]) == 0
    assert "worse" in capsys.readouterr().out
    assert main(["compare", *paths, "--fail-under", "0.9"]) == 1
    assert main(["compare", paths[1], paths[0], "--fail-under", "0.9"]) == 0
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(SystemExit, match="2"):
        main(["compare", paths[0], str(tmp_path / "c.json")])


def test_a_reader_who_has_seen_enough_changes_no_exit_code(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for path, middle in zip(paths, (5, 10), strict=True):
        results.write(made(measured("filmroom", around(middle, 3))), Path(path))
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "filmroom", "bench", "compare", *paths, "--fail-under", "0.9"]
    ended = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")
