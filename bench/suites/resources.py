"""Resident memory under load: an import of much more than memory shall hold, and sixteen C-MOVE at once."""

import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from bench import data, lean
from bench.asking import IMPLICIT_LITTLE, check_kept, move_all
from bench.bench import Bench, shares
from bench.content import Truth
from bench.data import EXPLICIT_LITTLE, JPEG_2000, File, Shape, in_jpeg_2000
from bench.memory import add_most, watched
from bench.peers import ROOT, filmroom
from bench.process import started
from bench.proving import prove_studies
from bench.results import Line
from bench.stand import sinking

RESIDENT_MIB_MOST = 400
IMPORT_STUDIES = 10  # 1.07 GB; --scale 10: 10.7 GB
IMPORT_SECONDS_MAX = 3600
ROOM_TIMES = 2.5  # of what is imported: the files, the archive, and what a disk keeps free
WORKERS = 16
TURNS = 4  # so many studies a worker moves at scale 1
COMPRESSED_INSTANCES = 26


def run(bench: Bench) -> None:
    """The import, then the moves: as stored, and changed on the way for what the sinks take."""
    importing(bench)
    plain = Shape(studies=WORKERS, series=1, seed=12)
    files = bench.files(plain)
    bench.report.heading(f"{WORKERS} C-MOVE at once: resident, workers included")
    moving(bench, "as stored", files, EXPLICIT_LITTLE)
    moving(bench, "to Implicit VR", files, EXPLICIT_LITTLE, only=IMPLICIT_LITTLE)
    if find_spec("imagecodecs") is None:
        bench.report.heading("JPEG 2000 is left out: imagecodecs is not installed")
        return
    small = Shape(studies=WORKERS, series=1, instances=COMPRESSED_INSTANCES, seed=13)
    encode = jpeg_2000(small.rows)
    plain_files = bench.files(small)
    compressed = [in_jpeg_2000(file, small, encode) for file in plain_files]
    moving(bench, "JPEG 2000 to Explicit VR", compressed, JPEG_2000, only=EXPLICIT_LITTLE, sent_as=plain_files)


def importing(bench: Bench) -> None:
    """``filmroom import`` of a folder; the files are made for it, and removed after it."""
    shape = Shape(studies=max(1, round(IMPORT_STUDIES * bench.scale)), seed=11)
    size_bytes = shape.instance_count * 2 * shape.rows**2
    bench.report.heading(f"Import of {size_bytes / 1e9:.3g} GB")
    bench.folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(bench.folder).free < ROOM_TIMES * size_bytes:
        raise RuntimeError(f"no figure: {bench.folder} has no room for {ROOM_TIMES} times {size_bytes / 1e9:.3g} GB")
    source = bench.paths(shape)[0].parents[2]
    try:
        with bench.room("import") as folder:
            import_once(bench, folder, source, shape.instance_count)
            prove_imported(folder, shape)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(source, ignore_errors=True)


def import_once(bench: Bench, folder: Path, source: Path, count: int) -> None:
    """One import into a new archive, watched from its start to its end."""
    command: list[str | Path] = [sys.executable, "-m", "filmroom", "import", "--json"]
    command += ["--store", folder / "store", source]
    begun = time.perf_counter()
    with started(command, folder, None, {"PYTHONPATH": str(ROOT)}) as process, watched(process) as memory:
        process.popen.wait(IMPORT_SECONDS_MAX)
    seconds = time.perf_counter() - begun
    kept = re.search(rb'"new": *(\d+)', process.log.read_bytes())
    if process.popen.returncode or kept is None or int(kept[1]) != count:
        raise RuntimeError(f"no figure: the import did not keep all; see {process.log}")
    add_most(bench.report, f"{count} CT imported: most resident", memory, RESIDENT_MIB_MOST)
    bench.report.add(Line(measure="  rate, process and last checkpoint included", unit="/s", ours=count / seconds))


def prove_imported(folder: Path, shape: Shape) -> None:
    """Raises Wrong unless a server on the archive gives back all that was imported."""
    truth = Truth()
    truth.add(data.files(shape))
    with sinking(folder / "sinks") as sinks, filmroom(folder, sinks.destinations) as server:
        prove_studies(server.target, sinks, truth, truth.studies)


def moving(
    bench: Bench,
    how: str,
    files: list[File],
    transfer_syntax: str,
    *,
    only: str = "",
    sent_as: Sequence[File] = (),
) -> None:
    """A fresh server, so that one case's memory is not the next one's. ``only``: the transfer syntax that the sinks
    take; ``sent_as``: what must come, where it is other content than what is stored: decoded pictures."""
    truth = Truth()
    truth.add(sent_as or files)
    studies = [(share[0].study_uid, len(share)) for share in shares(files, len({file.study_uid for file in files}))]
    with ExitStack() as running:
        folder = running.enter_context(bench.room("moving"))
        sinks = running.enter_context(sinking(folder / "sinks", only=only))
        server = running.enter_context(filmroom(folder / "filmroom", sinks.destinations))
        with watched(server.process) as storing:
            lean.store(server.target, shares(files, 8), transfer_syntax)
            check_kept(server.target, files)
            server.process.await_rest()
        at_rest = server.process.resident_bytes() / (1 << 20)
        turns, seconds = max(1, round(TURNS * bench.scale)), 0.0
        with watched(server.process) as memory:
            for _ in range(turns):
                seconds += move_all(server.target, studies, WORKERS).seconds
                truth.check(sinks.taken(), truth.places)
        add_most(bench.report, f"{how}: most resident", memory, RESIDENT_MIB_MOST)
        figures = {"while storing": storing.most_mib, "at rest between": at_rest}
        for name, value in figures.items():
            bench.report.add(Line(measure=f"  {name}", unit="MiB", ours=value))
        bench.report.add(Line(measure="  rate", unit="/s", ours=turns * len(files) / seconds))


def jpeg_2000(rows: int) -> Callable[[bytes], bytes]:
    """An encoder of 12 bits in 16, without loss."""
    import imagecodecs
    import numpy

    def encode(samples: bytes) -> bytes:
        picture = numpy.frombuffer(samples, "<u2").reshape(rows, rows)
        return bytes(imagecodecs.jpeg2k_encode(picture, level=0, codecformat="J2K", bitspersample=12, reversible=True))

    return encode
