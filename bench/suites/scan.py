"""Header scan and DICOM JSON of one CT file against pydicom, in one process and thread."""

import json
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO

from pydicom import dcmread

from bench.bench import Bench
from bench.data import Shape, study_files
from bench.pairs import Figures, compare
from native.dataset import describe
from native.dicomjson import header_json

OURS_RUNS, THEIRS_RUNS = 3000, 60


def run(bench: Bench) -> None:
    """One line: microseconds a file; ours includes the content digest of the pixels."""
    file = next(study_files(Shape(), 0)).data
    bench.report.heading("Header scan and DICOM JSON of one 204 kB CT")
    check(file)
    found = compare(partial(timed, ours, file, OURS_RUNS), partial(timed, theirs, file, THEIRS_RUNS), bench.rounds)
    bench.report.compared(
        "describe and header_json", "us", found["us"], "pydicom", most=1 / 50, note="ours walks and digests all 204 kB"
    )


def ours(file: bytes) -> bytes:
    return header_json(describe(file).header)


def theirs(file: bytes) -> str:
    return str(dcmread(BytesIO(file), stop_before_pixels=True).to_json())


def check(file: bytes) -> None:
    """RuntimeError unless both name the same attributes."""
    left, right = json.loads(ours(file)), json.loads(theirs(file))
    if set(left) != set(right):
        raise RuntimeError(f"no figure: the two differ in {sorted(set(left) ^ set(right))}")


def timed(work: Callable[[bytes], object], file: bytes, runs: int) -> Figures:
    """Microseconds a file."""
    begun = time.perf_counter()
    for _ in range(runs):
        work(file)
    return {"us": (time.perf_counter() - begun) / runs * 1e6}
