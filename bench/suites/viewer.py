"""The viewer in a real browser: the first image of a CT series, beside a server of files that gives the very same."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import lean, static_site
from bench.bench import Bench, shares
from bench.browsing import Viewing, chromium
from bench.data import File, Shape
from bench.multipart import parts
from bench.pairs import Figures, compare
from bench.peers import Server, filmroom
from bench.process import Process
from bench.static_site import Given
from bench.web_asking import web_of

SLICES, ROWS = 300, 512
FRAMES = 'multipart/related; type="application/octet-stream"; boundary=static'


def run(bench: Bench) -> None:
    """Both give the viewer and the study; each opening is in a new profile."""
    slices = max(3, round(SLICES * min(bench.scale, 1.0)))
    files = bench.files(Shape(series=1, instances=slices, rows=ROWS if bench.scale >= 1 else 64, seed=11))
    study = f"/ohif/viewer?StudyInstanceUIDs={files[0].study_uid}"
    with ExitStack() as running:
        folder = running.enter_context(bench.room("viewer"))
        ours = running.enter_context(filmroom(folder / "filmroom"))
        bench.report.server(ours.name, ours.settings)
        lean.store(ours.target, shares(files, 4))
        viewing = running.enter_context(chromium())
        record(viewing, ours, study, files, folder / "static")
        process, port = running.enter_context(static_site.nginx(folder / "static", FRAMES))
        bench.report.server("nginx", "files of our answers, sendfile, gzip_static")
        bench.report.heading(f"A CT of {slices} slices in OHIF")
        us = partial(opened, viewing, f"http://127.0.0.1:{web_of(ours).port}", study, ours.process)
        them = partial(opened, viewing, f"http://127.0.0.1:{port}", study, process)
        found = compare(us, them, bench.rounds)
    bench.report.compared("study to first image", "ms", found["first_image"], "nginx", most=1.2)
    bench.report.compared("from an empty window", "ms", found["from_click"], "nginx", most=1.2)


def opened(viewing: Viewing, origin: str, study: str, process: Process) -> Figures:
    """One opening, when nothing of the last one is under way any more."""
    process.await_rest()
    seen = viewing.open(origin, study)
    return {"first_image": seen.first_image_ms, "from_click": seen.from_click_ms}


def record(viewing: Viewing, ours: Server, study: str, files: list[File], folder: Path) -> None:
    """All that the browser asks for, as files. RuntimeError unless every frame is there and is what was stored."""
    origin = f"http://127.0.0.1:{web_of(ours).port}"
    frames: dict[str, bytes] = {}
    for path, accept in viewing.open(origin, study, to_the_end=True).asked.items():
        given = static_site.ask(origin, path, accept)
        if "/frames/" in path:
            (frame,) = parts(given.content_type, given.body)
            frames[path.split("/instances/")[1].split("/")[0]] = frame
            given = Given(given.path, FRAMES, as_part(frame))
        static_site.keep(folder, given)
    for file in files:
        if not frames.get(file.sop_instance_uid) or not file.data.endswith(frames[file.sop_instance_uid]):
            raise RuntimeError("no figure: a frame is not what was stored")


def as_part(frame: bytes) -> bytes:
    """An answer of one part, with a boundary that never changes."""
    head = b"\r\n--static\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n"
    return head + frame + b"\r\n--static--\r\n"
