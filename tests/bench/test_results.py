"""What a run leaves: the published schema is true, a file is whole or says that it is not."""

import json
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from bench import page, results, tables
from bench.__main__ import main
from bench.output import write_samples, write_summary
from bench.results import Measurement, NotWhole, Refusal
from tests.bench.results_made import made, measured

SCHEMA = Path(__file__).parents[2] / "docs" / "bench-results.schema.json"
QUICK, SLOW = measured("filmroom", [1.0, 1.1, 0.9, 1.0, 1.0]), measured("orthanc", [2.0, 2.2, 1.8, 2.1, 1.9])


def test_the_published_schema_is_that_of_the_program() -> None:
    assert json.loads(SCHEMA.read_text()) == results.schema(), "python -m bench schema > docs/bench-results.schema.json"


def test_results_fit_the_schema_and_others_do_not() -> None:
    check = jsonschema_rs.validator_for(results.schema())
    whole = json.loads(msgspec.json.encode(made(QUICK)))
    check.validate(whole)
    del whole["measurements"][0]["rounds"]
    assert not check.is_valid(whole)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results.write(made(QUICK, SLOW), path)
    assert results.read(path) == made(QUICK, SLOW)
    assert [one.name for one in tmp_path.iterdir()] == ["results.json"]


def test_a_partial_run_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results.write(made(QUICK, complete=False), path)
    assert not path.exists()
    with pytest.raises(NotWhole, match="did not come to its end"):
        results.read(results.partial_of(path))
    with pytest.raises(NotWhole, match="no results"):
        (tmp_path / "cut.json").write_bytes(msgspec.json.encode(made(QUICK))[:-9])
        results.read(tmp_path / "cut.json")
    results.write(made(QUICK), path)
    assert path.exists() and not results.partial_of(path).exists()
    results.set_aside(path)
    assert not path.exists() and path.with_suffix(".previous.json").exists()


def test_rows_say_how_many_times_better_by_the_pairs_of_rounds() -> None:
    (row,) = tables.rows(made(QUICK, SLOW))
    assert row.beside is not None and row.beside.other == "orthanc"
    assert row.beside.times == pytest.approx(2.0) and row.beside.verdict == "better"
    rates = [measured(name, values, unit="/s") for name, values in (("filmroom", [1, 1]), ("orthanc", [2, 2]))]
    (row,) = tables.rows(made(*rates))
    assert row.beside is not None and (row.beside.times, row.beside.verdict) == (0.5, "")  # two pairs: no verdict
    none = [measured(name, [0.0], unit="us") for name in ("filmroom", "orthanc")]
    assert tables.rows(made(*none))[0].beside is None


def test_fail_under_and_refusals_decide_the_exit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bench.__main__ import outcome

    found = made(SLOW, msgspec.structs.replace(QUICK))
    assert outcome(made(QUICK, SLOW), None) == 0 and outcome(made(QUICK, SLOW), 1.9) == 0
    assert outcome(made(QUICK, SLOW), 2.1) == 1 and "below 2.1" in capsys.readouterr().err
    assert outcome(made(QUICK), 1.0) == 1  # nothing was beside it
    refused = Refusal(suite="x", case="", target="orthanc", reason="wrong")
    assert outcome(msgspec.structs.replace(found, refusals=[refused]), None) == 0  # another's fault is not ours
    late = [measured(name, [count], quantity=tables.LATE, unit="count") for name, count in (("filmroom", 0), ("b", 3))]
    assert outcome(made(*late), None) == 0
    assert outcome(made(measured("filmroom", [2.0], quantity=tables.LATE, unit="count")), None) == 1
    named = msgspec.structs.replace(found.settings, targets=["mine=AET@127.0.0.1:104"])
    for is_error, code in ((True, 1), (False, 0)):  # what a named target does not offer is no error of it
        its = [msgspec.structs.replace(refused, target="mine", is_error=is_error)]
        assert outcome(msgspec.structs.replace(found, settings=named, refusals=its), None) == code
    ours = msgspec.structs.replace(refused, target="filmroom")
    assert outcome(msgspec.structs.replace(found, refusals=[ours]), None) == 1


def swapped() -> list[Measurement]:
    return [msgspec.structs.replace(one, target=name) for one, name in ((SLOW, "filmroom"), (QUICK, "orthanc"))]


def test_csv_holds_every_sample_and_the_page_needs_nothing_else(tmp_path: Path) -> None:
    found = made(QUICK, SLOW)
    write_samples(found, tmp_path / "samples.csv")
    write_summary(found, tmp_path / "summary.csv")
    assert len((tmp_path / "samples.csv").read_text().splitlines()) == 11
    assert "orthanc,5,2.0" in (tmp_path / "summary.csv").read_text()
    drawn = page.page(msgspec.structs.replace(found, notes={"parallel-move": ["<b>&"]}), {})
    assert "is behind" not in drawn and "Where filmroom is behind" in page.page(made(*swapped()), {})
    assert "&lt;b&gt;&amp;" in drawn and "2.00x orthanc" in drawn
    assert "http://" not in drawn and "https://" not in drawn and "<script" not in drawn


def test_a_file_that_could_not_be_written_to_its_end_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as opened:
            opened.write(content[: len(content) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    for write in (write_samples, write_summary, results.write):
        with pytest.raises(OSError, match="no space left"):
            write(made(QUICK, SLOW), tmp_path / "one")
        assert not (tmp_path / "one").exists()


def test_figures_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra [bench] is not installed")
    results.write(made(QUICK, SLOW), tmp_path / "results.json")
    assert main(["report", str(tmp_path / "results.json")]) == 0
    assert (tmp_path / "parallel-move.svg").exists() or "<svg" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "report.html").read_text().count("<svg") == 1
