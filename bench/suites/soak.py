"""Hours of mixed load: whether memory or answers grow. At scale 1 an hour; ``--scale 8`` a night."""

import statistics
import threading
import time
from collections.abc import Callable
from itertools import count

from bench import lean
from bench.asking import check_kept
from bench.bench import Bench
from bench.content import Truth, Wrong, digest_of
from bench.data import File, Shape, study_files
from bench.http import Connection, get
from bench.multipart import parts
from bench.peers import Server, filmroom
from bench.report import OURS
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


class Newest:
    """The study that was stored last; whoever stores another changes it at once."""

    def __init__(self, files: list[File]) -> None:
        self.files = files

    def nth(self, number: int) -> File:
        """Its instances in turn."""
        return self.files[number % len(self.files)]


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
    stored, truth = Newest(list(study_files(SHAPE, 0))), Truth()
    lean.store(server.target, [stored.files])
    truth.add(stored.files)
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
        "store of a study": (lambda number: timed(lambda: store(server, truth, stored, number)), STUDY_SECONDS),
        "find": (lambda _: timed(lambda: look_up(server, stored.files)), LOOK_SECONDS / 5),
        "retrieval": (lambda number: timed(lambda: read(server, truth, stored.nth(number))), LOOK_SECONDS / 5),
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


def store(server: Server, truth: Truth, stored: Newest, study: int) -> None:
    """One study more, found again at once, and the one that is asked for from now on."""
    files = list(study_files(SHAPE, study))
    lean.store(server.target, [files])
    check_kept(server.target, files)
    truth.add(files)
    stored.files = files


def look_up(server: Server, files: list[File]) -> None:
    """The instances of the first series."""
    check_kept(server.target, [file for file in files if file.series_uid == files[0].series_uid])


def read(server: Server, truth: Truth, file: File) -> None:
    """One instance by WADO-RS, hashed."""
    web, uid = web_of(server), file.sop_instance_uid
    connection = Connection(web)
    answer = connection.ask(get(web, f"/studies/{file.study_uid}/series/{file.series_uid}/instances/{uid}", DICOM))
    connection.close()
    if answer.status != 200:
        raise Wrong(f"an instance that was stored is answered with status {answer.status}")
    truth.check([(uid, digest_of(part)) for part in parts(answer.content_type, answer.body)], [uid])


def add(bench: Bench, name: str, unit: str, course: Course) -> None:
    """Its median, and how much it rises an hour."""
    values = [value for _, value in course]
    note = f"{len(values)} samples, {min(values):.3g} to {max(values):.3g}"
    bench.report.add(Line(measure=name, unit=unit, ours=statistics.median(values), note=note))
    bench.report.measured(name, OURS, "each", unit, [values])
    bench.report.measured(name, OURS, "its moment", "s", [[at for at, _ in course]])
    if len(course) > 1:
        rise = slope([at / HOUR_SECONDS for at, _ in course], values)
        bench.report.add(Line(measure=f"  {name}: rises an hour by", unit=unit, ours=rise))
