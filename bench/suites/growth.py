"""The index as it grows: stub instances stored and found at several sizes, then built anew from the journal."""

import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from bench.asking import find_times_ms, instances_of_series, series_of_day, studies_of_patient
from bench.bench import Bench
from bench.data import File, Shape, patient_id, study_day, study_files
from bench.peers import ROOT, Server, filmroom
from bench.results import Line
from bench.suites.store import lean_senders, measured

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
SCALE_OF_SIZE = {10_000: 0.0, 100_000: 1.0, 1_000_000: 10.0, 10_000_000: 100.0}
PIECE_STUDIES = 20  # 10,400 instances are sent at a time
SENDERS = 8
RUNS = 30
SECONDS_MAX = 3600


def run(bench: Bench) -> None:
    """Sizes above the scale are left out: 1,000,000 needs ``--scale 10`` (half an hour), 10,000,000 ``--scale 100``."""
    bench.report.heading("Index: stub instances (256 bytes of pixels, whole headers), 520 a study")
    shape = Shape(stub=True, seed=7)
    with bench.room("index") as folder:
        with filmroom(folder) as server:
            studies = 0
            for size in SIZES:
                if bench.scale < SCALE_OF_SIZE[size]:
                    continue
                studies = grow(bench, server, shape, studies, size)
                ask(bench, server, shape, studies)
        restart(bench, folder, studies * 520)
        rebuild(bench, folder, studies * 520)


def grow(bench: Bench, server: Server, shape: Shape, studies: int, size: int) -> int:
    """Store until there are ``size`` instances; the rate is that of the last piece."""
    figures = None
    while studies * 520 < size:
        files: list[File] = []
        for study in range(studies, studies + PIECE_STUDIES):
            files += study_files(shape, study)
        figures = measured(server, partial(lean_senders, files=files, count=SENDERS), len(files))
        studies += PIECE_STUDIES
    assert figures is not None
    for name, measure in (("rate", "to the last response"), ("rate_to_rest", "until it rests")):
        line = Line(measure=f"{studies * 520}: 10,400 more stored, {measure}", unit="/s", ours=figures[name])
        bench.report.add(line)
    resident = server.process.resident_bytes() / (1 << 20)
    bench.report.add(Line(measure=f"{studies * 520}: resident", unit="MiB", ours=resident))
    return studies


def ask(bench: Bench, server: Server, shape: Shape, studies: int) -> None:
    """A series and a patient of the oldest study, and what else began that day at 8."""
    uid = next(study_files(shape, 0)).study_uid
    day = study_day(shape, 0)
    that_day = sum(study_day(shape, study) == day for study in range(studies))
    questions = {
        "104 instances of a series": (instances_of_series(uid, f"{uid}.1"), 104),
        "study by PatientID": (studies_of_patient(patient_id(shape, 0)), 1),
        f"series of a day at 8 h ({that_day})": (series_of_day(day, 8), that_day),
    }
    for name, (keys, matches) in questions.items():
        times = find_times_ms(server.target, keys, matches, RUNS)
        line = Line(measure=f"{studies * 520}: {name}", unit="ms", ours=statistics.median(times))
        bench.report.add(line)


def restart(bench: Bench, folder: Path, instances: int) -> None:
    """Start to ready: after an orderly end, and after a start that was killed."""
    with filmroom(folder) as server:
        bench.report.add(Line(measure=f"{instances}: start to ready", unit="s", ours=server.start_seconds))
        resident = server.process.resident_bytes() / (1 << 20)
        bench.report.add(Line(measure=f"{instances}: resident after the start", unit="MiB", ours=resident))
        server.process.popen.kill()
        server.process.popen.wait()
    with filmroom(folder) as server:
        bench.report.add(Line(measure=f"{instances}: after kill -9", unit="s", ours=server.start_seconds))


def rebuild(bench: Bench, folder: Path, instances: int) -> None:
    """``filmroom reindex`` on the closed store: start and end of the process included."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "filmroom", "reindex", "--store", folder / "store"],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    seconds = time.perf_counter() - begun
    if done.returncode or str(instances).encode() not in done.stdout.replace(b",", b""):
        raise RuntimeError(f"no rate: reindex said {done.stdout[-200:]!r} {done.stderr[-200:]!r}")
    bench.report.add(Line(measure=f"{instances}: reindexed from the journal", unit="/s", ours=instances / seconds))
