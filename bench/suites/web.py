"""DICOMweb beside Orthanc's plug-in: searches, metadata, a study as it is, frames."""

import json
import statistics
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec

from bench import http, lean, looks
from bench.asking import check_kept
from bench.bench import Bench, shares
from bench.data import File, Shape, patient_id
from bench.http import Check
from bench.looks import Look, described, frame, parts_of, picture, rows
from bench.pairs import Figures
from bench.peers import Server, filmroom, orthanc
from bench.web_asking import (
    FIRST_RUNS,
    RUNS,
    Sides,
    both,
    checked,
    first_times,
    rates,
    times,
    web_of,
)

FEW, MANY = 19, 409
# Of the studies that the names of measures speak of.
SERIES, INSTANCES = 5, 104
CONNECTIONS = (1, 8)
DOWNLOADS = 5
RENDERED = 26  # pictures in turn
CURL = ("curl", "-sSf", "--noproxy", "*", "-o", "/dev/null", "-w")
FRAMES = 'multipart/related; type="application/octet-stream"'
DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def run(bench: Bench) -> None:
    """Both servers hold the same studies; each answer that is timed is checked, or has the length of one that was."""
    with ExitStack() as running:
        folder = running.enter_context(bench.room("web"))
        ours = running.enter_context(filmroom(folder / "filmroom"))
        other = running.enter_context(orthanc(folder / "orthanc", web=True))
        searching(bench, (ours, other))
        describing(bench, (ours, other))
        retrieving(bench, (ours, other))
        looking(bench, (ours, other))


def searching(bench: Bench, sides: Sides) -> None:
    """One whole study of stubs, then small ones up to FEW, then up to MANY."""
    whole = Shape(series=SERIES, instances=INSTANCES, stub=True, seed=4)
    files = fill(bench, sides, whole)
    study, series = files[0].study_uid, files[0].series_uid
    of_series = [file.sop_instance_uid for file in files if file.series_uid == series]
    of_study = [file.sop_instance_uid for file in files]
    for studies, seed, before in ((FEW, 5, 1), (MANY, 6, FEW)):
        fill(bench, sides, Shape(studies=studies - before, series=1, instances=2, stub=True, seed=seed))
        bench.report.heading(f"QIDO-RS at {studies} studies")
        path, look = f"/studies?PatientID={patient_id(whole, 0)}", Look(rows(looks.STUDY, [study]))
        for connections in CONNECTIONS:
            rates(bench, f"study by PatientID, {connections} connections", sides, [path], connections, 4, [look])
        path = f"/studies/{study}/series/{series}/instances"
        times(bench, f"{len(of_series)} instances of a series", sides, path, rows(looks.INSTANCE, of_series))
        path = f"/studies/{study}/instances"
        times(bench, f"{len(of_study)} instances of a study", sides, path, rows(looks.INSTANCE, of_study))


def describing(bench: Bench, sides: Sides) -> None:
    """Metadata of studies that nobody has asked for yet, each once; then of one, again and again."""
    needed = 2 * bench.rounds * FIRST_RUNS
    shape = Shape(studies=2 * needed, series=SERIES, instances=INSTANCES, stub=True, seed=7)
    files = fill(bench, sides, shape)
    studies: dict[str, list[File]] = {}
    for file in files:
        studies.setdefault(file.study_uid, []).append(file)
    bench.report.heading("Metadata (WADO-RS)")
    of_series, of_studies = list[tuple[str, Check]](), list[tuple[str, Check]]()
    for at, (study, whole) in enumerate(studies.items()):
        if at < needed:
            part = [file for file in whole if file.series_uid == f"{study}.1"]
            of_series.append((f"/studies/{study}/series/{study}.1/metadata", described(part)))
        else:
            of_studies.append((f"/studies/{study}/metadata", described(whole)))
    for paths, count in ((of_series, INSTANCES), (of_studies, SERIES * INSTANCES)):
        first_times(bench, f"of {count} instances, the first time", sides, paths)
        times(bench, f"of {count} instances, again", sides, *paths[0])


def retrieving(bench: Bench, sides: Sides) -> None:
    """A study of pixels (106 MB) by curl, and its frames, each as often as another."""
    shape = Shape(series=SERIES, instances=INSTANCES, seed=8)
    files = fill(bench, sides, shape)
    study, peer, frame_bytes = files[0].study_uid, sides[1].name, 2 * shape.rows**2
    bench.report.heading("A study of 520 CT (WADO-RS), by curl")
    found = both(bench, sides, lambda side: downloaded(side, study, files))
    bench.report.compared("whole", "MB/s", found["mb_s"], peer, least=1.5)
    bench.report.compared("  server CPU a study", "ms", found["server_ms"], peer)
    bench.report.compared("first byte", "ms", found["first_byte_ms"], peer, note="wanted < 5 ms")
    bench.report.heading(f"Frames of {frame_bytes} bytes (WADO-RS)")
    paths = [f"/studies/{study}/series/{one.series_uid}/instances/{one.sop_instance_uid}/frames/1" for one in files]
    frames = [Look(frame(one, frame_bytes), one.data[-frame_bytes:]) for one in files]
    for connections in CONNECTIONS:
        rates(bench, f"frames, {connections} connections", sides, paths, connections, 2, frames, FRAMES)


def looking(bench: Bench, sides: Sides) -> None:
    """What a viewer's user waits for: the first picture of a study that is known by its patient; drawn pictures."""
    shape = Shape(series=SERIES, instances=INSTANCES, seed=8)  # stored by ``retrieving``
    files, peer = bench.files(shape), sides[1].name
    bench.report.heading("The first image (search, series, instances, one frame; a connection of its own)")
    found = both(bench, sides, lambda side: first_image(side, shape, files))
    bench.report.compared("first image", "ms", found["ms"], peer)
    if find_spec("imagecodecs") is None:
        bench.report.heading("Rendered images are left out: imagecodecs is not installed")
        return
    bench.report.heading(f"Rendered images of {shape.rows} x {shape.rows} (WADO-RS, JPEG), each asked for once before")
    paths = [
        f"/studies/{one.study_uid}/series/{one.series_uid}/instances/{one.sop_instance_uid}/rendered"
        for one in files[:RENDERED]
    ]
    pictures = [Look(picture(file, shape.rows)) for file in files[:RENDERED]]
    for connections in CONNECTIONS:
        rates(bench, f"rendered, {connections} connections", sides, paths, connections, 1, pictures, "image/jpeg")


def first_image(side: Server, shape: Shape, files: Sequence[File]) -> Figures:
    """Milliseconds of what a viewer asks; the frame that comes must be one of the study's."""
    web, taken = web_of(side), []
    pixels = {one.data[-2 * shape.rows**2 :] for one in files}
    for _ in range(RUNS):
        begun = time.perf_counter()
        connection = http.Connection(web)
        path = f"/studies?PatientID={patient_id(shape, 0)}"
        for level, tag in (("series", "0020000D"), ("instances", "0020000E"), ("frames/1", "00080018")):
            found = json.loads(connection.ask(http.get(web, path)).body)
            parent = {"series": "/studies", "instances": path.partition("?")[0], "frames/1": path}[level]
            path = f"{parent}/{found[0][tag]['Value'][0]}/{level}"
        answer = connection.ask(http.get(web, path, FRAMES))
        taken.append((time.perf_counter() - begun) * 1000)
        connection.close()
        if answer.status != 200 or not any(one in answer.body for one in pixels):
            raise RuntimeError(f"no figure: status {answer.status}, or another frame")
    return {"ms": statistics.median(taken)}


def downloaded(side: Server, study: str, files: Sequence[File]) -> Figures:
    """By curl, to nowhere, the median of some; as many bytes as an answer has whose parts were hashed, before and
    after."""
    web, request = web_of(side), http.get(web_of(side), f"/studies/{study}", DICOM)
    length = checked(side, request, parts_of(files)).body_length
    command = [*CURL, "%{size_download} %{time_total} %{time_starttransfer}", "-H", f"Accept: {DICOM}"]
    command += [f"{web.url}/studies/{study}"]
    before, rates_mb_s, first_bytes_ms = side.process.cpu_seconds(), [], []
    for _ in range(DOWNLOADS):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=http.TIMEOUT_SECONDS)
        said = done.stdout.split()
        if done.returncode or len(said) != 3 or int(said[0]) != length:
            raise RuntimeError(f"no rate: curl took {said[:1]} bytes of {length} {done.stderr}")
        rates_mb_s.append(length / float(said[1]) / 1e6)
        first_bytes_ms.append(float(said[2]) * 1e3)
    server_ms = (side.process.cpu_seconds() - before) * 1e3 / DOWNLOADS
    checked(side, request, parts_of(files))
    middle = statistics.median
    return {"mb_s": middle(rates_mb_s), "first_byte_ms": middle(first_bytes_ms), "server_ms": server_ms}


def fill(bench: Bench, sides: Sides, shape: Shape) -> list[File]:
    """Store the shape's files in each server."""
    files = bench.files(shape)
    for side in sides:
        bench.report.server(side.name, side.settings)
        lean.store(side.target, shares(files, 4))
        check_kept(side.target, files)
        side.process.await_rest()
    return files
