"""Hours of mixed load: whether memory or answers grow. At scale 1 an hour; ``--scale 8`` a night."""

import statistics
import threading
import time
from collections.abc import Callable
from itertools import count

from bench import lean
from bench.asking import IMPLICIT_LITTLE, STUDY_ROOT_FIND, check_kept, find, instances_of_series
from bench.bench import Bench
from bench.content import Truth, digest_of
from bench.data import File, Shape, study_files
from bench.http import Connection, get
from bench.lean import Association
from bench.multipart import parts
from bench.peers import Server, filmroom
from bench.results import Line
from bench.statistics import slope
from bench.suites.random_access import DICOM
from bench.web_asking import web_of

HOUR_SECONDS = 3600.0
SECONDS_LEAST = 5.0
STUDY_SECONDS = 2.0  # from one study to the next
SHAPE = Shape(series=2, instances=10, rows=256, seed=15)
LOOK_SECONDS = 0.5
MIB = 1 << 20

Course = list[tuple[float, float]]  # seconds from the begin, value


def run(bench: Bench) -> None:
    """A study every two seconds, a series found and an instance read back all the time, memory looked at."""
    seconds = max(SECONDS_LEAST, HOUR_SECONDS * bench.scale)
    bench.report.heading(f"Mixed load for {seconds:.0f} s")
    with bench.room("soak") as folder, filmroom(folder) as server:
        bench.report.server(server.name, server.settings)
        courses = soaked(server, seconds)
        for name, (unit, course) in courses.items():
            add(bench, name, unit, course)


def soaked(server: Server, seconds: float) -> dict[str, tuple[str, Course]]:
    """The course of each figure. RuntimeError when an answer was wrong."""
    begun, ended = time.perf_counter(), threading.Event()
    truth, stored = Truth(), list(study_files(SHAPE, 0))
    lean.store(server.target, [stored])
    truth.add(stored)
    courses: dict[str, tuple[str, Course]] = {
        name: (unit, [])
        for name, unit in (("store of a study", "ms"), ("find", "ms"), ("retrieval", "ms"), ("resident", "MiB"))
    }
    failures: list[BaseException] = []

    def again(name: str, work: Callable[[int], float], pause: float) -> None:
        try:
            for number in count(1):
                courses[name][1].append((time.perf_counter() - begun, work(number)))
                if ended.wait(pause):
                    return
        except (RuntimeError, OSError) as failure:
            failures.append(failure)
            ended.set()

    works: dict[str, tuple[Callable[[int], float], float]] = {
        "store of a study": (lambda number: timed(lambda: store(server, number)), STUDY_SECONDS),
        "find": (lambda _: timed(lambda: look_up(server, stored)), LOOK_SECONDS / 5),
        "retrieval": (
            lambda number: timed(lambda: read(server, truth, stored[number % len(stored)])),
            LOOK_SECONDS / 5,
        ),
        "resident": (lambda _: server.process.resident_bytes() / MIB, LOOK_SECONDS),
    }
    threads = [threading.Thread(target=again, args=(name, *work)) for name, work in works.items()]
    for thread in threads:
        thread.start()
    ended.wait(seconds)
    ended.set()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"no figure: {failures[0]}")
    return courses


def timed(work: Callable[[], None]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def store(server: Server, study: int) -> None:
    """One study more, found again at once."""
    files = list(study_files(SHAPE, study))
    lean.store(server.target, [files])
    check_kept(server.target, files)


def look_up(server: Server, files: list[File]) -> None:
    """The instances of the first series."""
    with Association(server.target, STUDY_ROOT_FIND, IMPLICIT_LITTLE) as association:
        found = find(association, instances_of_series(files[0].study_uid, files[0].series_uid))
    if found != SHAPE.instances:
        raise RuntimeError(f"{found} instances found instead of {SHAPE.instances}")


def read(server: Server, truth: Truth, file: File) -> None:
    """One instance by WADO-RS, hashed."""
    web, uid = web_of(server), file.sop_instance_uid
    connection = Connection(web)
    answer = connection.ask(get(web, f"/studies/{file.study_uid}/series/{file.series_uid}/instances/{uid}", DICOM))
    connection.close()
    truth.check([(uid, digest_of(part)) for part in parts(answer.content_type, answer.body)], [uid])


def add(bench: Bench, name: str, unit: str, course: Course) -> None:
    """Its median, and how much it rises an hour."""
    values = [value for _, value in course]
    note = f"{len(values)} samples, {min(values):.3g} to {max(values):.3g}"
    bench.report.add(Line(measure=name, unit=unit, ours=statistics.median(values), note=note))
    if len(course) > 1:
        rise = slope([at / HOUR_SECONDS for at, _ in course], values)
        bench.report.add(Line(measure=f"  {name}: rises an hour by", unit=unit, ours=rise))
