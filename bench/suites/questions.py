"""C-FIND by a lean client: 104 instances of a series; a study by PatientID among few and among many studies."""

import statistics
from contextlib import ExitStack
from functools import partial

from msgspec import Struct

from bench import lean
from bench.asking import (
    SOP_INSTANCE_UID,
    STUDY_UID,
    Keys,
    check_kept,
    find_times_ms,
    instances_of_series,
    studies_of_patient,
)
from bench.bench import Bench, shares
from bench.data import Shape, patient_id
from bench.pairs import Figures, compare
from bench.peers import Server, filmroom, orthanc

FEW, MANY = 19, 409
RUNS = 30


class Question(Struct, frozen=True):
    """Keys of a C-FIND, and the values that its answers must hold under a tag."""

    keys: Keys
    tag: int
    wanted: list[str]


def run(bench: Bench) -> None:
    """Both servers hold one whole study (stub pixels), then small ones up to FEW, then up to MANY studies."""
    whole = Shape(stub=True, seed=4)
    files = bench.files(whole)
    first = files[0]
    series = Question(
        instances_of_series(first.study_uid, first.series_uid),
        SOP_INSTANCE_UID,
        [file.sop_instance_uid for file in files if file.series_uid == first.series_uid],
    )
    patient = Question(studies_of_patient(patient_id(whole, 0)), STUDY_UID, [first.study_uid])
    with ExitStack() as running:
        folder = running.enter_context(bench.room("find"))
        ours = running.enter_context(filmroom(folder / "filmroom"))
        other = running.enter_context(orthanc(folder / "orthanc"))
        fill(bench, (ours, other), whole)
        for studies, seed, before in ((FEW, 5, 1), (MANY, 6, FEW)):
            fill(bench, (ours, other), Shape(studies=studies - before, series=1, instances=2, stub=True, seed=seed))
            bench.report.heading(f"C-FIND at {studies} studies, lean client, median of {RUNS}")
            ask(bench, f"{len(series.wanted)} instances of a series", ours, other, series, 1 / 5)
            ask(bench, "study by PatientID", ours, other, patient, None)


def ask(bench: Bench, name: str, ours: Server, other: Server, question: Question, most: float | None) -> None:
    """One question to both."""
    found = compare(partial(asked, ours, question), partial(asked, other, question), bench.rounds)
    bench.report.compared(
        name, "ms", found["median_ms"], other.name, most=most, note="wanted < 0.8 ms" if most is None else ""
    )
    bench.report.compared("  the quickest", "ms", found["least_ms"], other.name)


def asked(server: Server, question: Question) -> Figures:
    times = find_times_ms(server.target, question.keys, question.tag, question.wanted, RUNS)
    return {"median_ms": statistics.median(times), "least_ms": min(times)}


def fill(bench: Bench, servers: tuple[Server, ...], shape: Shape) -> None:
    """Store the shape's files in each server."""
    files = bench.files(shape)
    for server in servers:
        bench.report.server(server.name, server.settings)
        lean.store(server.target, shares(files, 4))
        check_kept(server.target, files)
        server.process.await_rest()
