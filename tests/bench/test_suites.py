"""Every suite runs from end to end on a few instances, and what it writes can be read."""

import json
import shutil
from pathlib import Path

import pytest

from bench import data, peers, web_asking
from bench.__main__ import main
from bench.machine import machine
from bench.report import Report, shown
from bench.results import Line
from bench.suites import growth, idle, recovery, resources, scan, soak, web

pytestmark = pytest.mark.usefixtures("quick_rest")


def test_scan_and_idle_are_written_with_their_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("Orthanc") is None:
        pytest.skip("Orthanc is not installed")
    monkeypatch.setattr(scan, "OURS_RUNS", 3)
    monkeypatch.setattr(scan, "THEIRS_RUNS", 1)
    monkeypatch.setattr(idle, "starts", lambda rounds: 1)  # Orthanc takes seconds to end
    out = tmp_path / "out" / "results.json"
    assert main(["run", "scan", "idle", "--folder", str(tmp_path / "bench"), "--out", str(out)]) == 0
    found = json.loads(out.read_bytes())
    assert found["machine_before"]["processor_count"] == machine(tmp_path).processor_count
    assert {line["measure"] for line in found["lines"]} >= {"filmroom: start to ready", "describe and header_json"}
    assert set(found["servers"]) == {"filmroom", "orthanc"}
    assert not (tmp_path / "bench" / "run").exists()


def test_a_suite_that_meets_a_wrong_answer_gives_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(file: bytes) -> str:
        return json.dumps({"00080016": {}})

    monkeypatch.setattr(scan, "theirs", wrong)
    out = tmp_path / "results.json"
    assert main(["run", "scan", "--folder", str(tmp_path), "--out", str(out)]) == 1
    assert json.loads(out.read_bytes())["lines"] == []


def test_an_intake_that_is_killed_full_is_all_found_again(tmp_path: Path) -> None:
    if not (shutil.which("strace") and shutil.which("storescp")):
        pytest.skip("strace or DCMTK is not installed")
    out = tmp_path / "results.json"
    assert main(["run", "recovery", "--scale", "0.01", "--folder", str(tmp_path), "--out", str(out)]) == 0
    lines = {line["measure"]: line["ours"] for line in json.loads(out.read_bytes())["lines"]}
    assert lines["acknowledged, no object written yet, when killed"] > 0.8 * recovery.INTAKE_BYTES_LEAST / 1e6


def small(**others: int) -> data.Shape:
    """Ten instances a series at most, whatever the suite asks for."""
    return data.Shape(**{"series": 2, "instances": 10, **others})


def test_memory_is_watched_while_importing_and_moving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("storescp") is None:
        pytest.skip("DCMTK is not installed")
    monkeypatch.setattr(resources, "WORKERS", 2)
    monkeypatch.setattr(resources, "COMPRESSED_INSTANCES", 2)
    monkeypatch.setattr(resources, "Shape", small)
    out = tmp_path / "results.json"
    assert main(["run", "resources", "--scale", "0.01", "--folder", str(tmp_path), "--out", str(out)]) == 0
    lines = {line["measure"]: line["ours"] for line in json.loads(out.read_bytes())["lines"]}
    assert {"20 CT imported: most resident", "as stored: most resident", "to Implicit VR: most resident"} <= set(lines)
    assert not list((tmp_path / "data").glob("*/*"))  # what was made for the import is gone


def test_large_objects_are_stored_and_read_at_once(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    assert main(["run", "large", "--scale", "0.02", "--folder", str(tmp_path), "--out", str(out)]) == 0
    lines = {line["measure"]: line["ours"] for line in json.loads(out.read_bytes())["lines"]}
    assert lines["  frames meanwhile"] > 0 and lines["all at once: most resident"] < 400


def test_names_and_missed_targets_show() -> None:
    line = Line(measure="a", unit="ms", ours=2.0, wanted="<= 1", meets=False)
    assert "MISSED" in shown(line) and "met" not in shown(line)
    assert idle.IDLE_MIB_WANTED == 120


def test_generated_patients_have_the_id_that_questions_ask_for() -> None:
    shape = data.Shape(studies=2, series=1, instances=1, stub=True, seed=5)
    for study in range(2):
        file = next(data.study_files(shape, study))
        assert data.patient_id(shape, study).encode() in file.data


def test_report_keeps_what_servers_were_run_with(tmp_path: Path) -> None:
    said: list[str] = []
    report = Report(tmp_path, said.append)
    report.server("orthanc", "SQLite")
    report.server("orthanc", "SQLite")
    assert len(said) == 1


def test_web_is_asked_beside_orthanc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("Orthanc") is None or not peers.ORTHANC_WEB.exists():
        pytest.skip("Orthanc's DICOMweb plug-in is not installed (orthanc-dicomweb)")
    monkeypatch.setattr(web, "FEW", 2)
    monkeypatch.setattr(web, "MANY", 3)
    monkeypatch.setattr(web, "SERIES", 2)
    monkeypatch.setattr(web, "INSTANCES", 3)
    monkeypatch.setattr(web, "RENDERED", 2)
    monkeypatch.setattr(web, "DOWNLOADS", 1)
    monkeypatch.setattr(web_asking, "RUNS", 1)
    monkeypatch.setattr(web, "FIRST_RUNS", 1)
    monkeypatch.setattr(web_asking, "FIRST_RUNS", 1)
    out = tmp_path / "results.json"
    assert main(["run", "web", "--scale", "0.02", "--folder", str(tmp_path / "b"), "--out", str(out)]) == 0
    lines = {line["measure"]: line for line in json.loads(out.read_bytes())["lines"]}
    assert {"study by PatientID, 8 connections", "of 6 instances, the first time", "frames, 8 connections"} <= set(
        lines
    )
    assert all(line["pairs"] == 2 for line in lines.values())


def test_a_mixed_load_is_watched_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "SECONDS_LEAST", 1.0)
    monkeypatch.setattr(soak, "STUDY_SECONDS", 0.2)
    out = tmp_path / "results.json"
    assert main(["run", "soak", "--scale", "0", "--folder", str(tmp_path / "b"), "--out", str(out)]) == 0
    lines = {line["measure"] for line in json.loads(out.read_bytes())["lines"]}
    assert {"store of a study", "find", "retrieval", "resident", "  resident: rises an hour by"} <= lines


def test_growth_is_asked_and_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "SIZES", (100,))
    monkeypatch.setattr(growth, "SCALE_OF_SIZE", {100: 0.0})
    monkeypatch.setattr(growth, "PIECE_STUDIES", 1)
    out = tmp_path / "results.json"
    assert main(["run", "growth", "--folder", str(tmp_path / "b"), "--out", str(out)]) == 0
    lines = {line["measure"] for line in json.loads(out.read_bytes())["lines"]}
    assert {"520: 104 instances of a series", "520: reindexed from the journal"} <= lines
