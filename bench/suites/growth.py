"""The index as it grows: stub instances stored and found at several sizes, then built anew from the journal."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.asking import (
    SERIES_UID,
    SOP_INSTANCE_UID,
    STUDY_UID,
    find_times_ms,
    instances_of_series,
    series_of_day,
    studies_of_patient,
)
from bench.bench import Bench
from bench.data import File, Shape, patient_id, study_day, study_files, study_uid
from bench.loading import measured
from bench.peers import ROOT, Server, filmroom
from bench.proving import prove
from bench.results import Line
from bench.stand import Sinks, sinking
from bench.suites.store import lean_senders

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
        with sinking(folder / "sinks") as sinks, filmroom(folder, sinks.destinations) as server:
            studies = 0
            for size in SIZES:
                if bench.scale < SCALE_OF_SIZE[size]:
                    continue
                studies = grow(bench, server, sinks, shape, studies, size)
                ask(bench, server, shape, studies)
        restart(bench, folder, studies * 520)
        rebuild(bench, folder, studies * 520)


def grow(bench: Bench, server: Server, sinks: Sinks, shape: Shape, studies: int, size: int) -> int:
    """Store until there are ``size`` instances; the rate is that of the last piece, all of which is found and read
    back. Of the others each must be acknowledged, and all must be there when the index is built anew."""
    figures, files = None, list[File]()
    while studies * 520 < size:
        files = [file for study in range(studies, studies + PIECE_STUDIES) for file in study_files(shape, study)]
        figures = measured(server, lean_senders(files, SENDERS)(server), len(files))
        studies += PIECE_STUDIES
    assert figures is not None
    prove(server.target, sinks, files)
    for name, measure in (("rate", "to the last response"), ("rate_to_rest", "until it rests")):
        line = Line(measure=f"{studies * 520}: 10,400 more stored, {measure}", unit="/s", ours=figures[name])
        bench.report.add(line)
    resident = server.process.resident_bytes() / (1 << 20)
    bench.report.add(Line(measure=f"{studies * 520}: resident", unit="MiB", ours=resident))
    return studies


def ask(bench: Bench, server: Server, shape: Shape, studies: int) -> None:
    """A series and a patient of the oldest study, and what else began that day at 8."""
    uid = study_uid(shape, 0)
    day = study_day(shape, 0)
    instances = [f"{uid}.1.{number}" for number in range(1, shape.instances + 1)]
    that_day = [f"{study_uid(shape, study)}.1" for study in range(studies) if study_day(shape, study) == day]
    questions = {
        "104 instances of a series": (instances_of_series(uid, f"{uid}.1"), SOP_INSTANCE_UID, instances),
        "study by PatientID": (studies_of_patient(patient_id(shape, 0)), STUDY_UID, [uid]),
        f"series of a day at 8 h ({len(that_day)})": (series_of_day(day, 8), SERIES_UID, that_day),
    }
    for name, (keys, tag, wanted) in questions.items():
        times = find_times_ms(server.target, keys, tag, wanted, RUNS)
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
