"""What answers of DICOMweb must hold: identifiers, values, frames, pictures, whole files; all of it was generated."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from bench.content import Wrong, digest_of
from bench.data import File
from bench.http import Answer, Check
from bench.multipart import parts

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
INSTANCE_NUMBER, PIXEL_DATA = "00200013", "7FE00010"
# Shown from black to white (the files' VOI and rescale attributes, PS3.3 C.11.2.1.2): stored values.
BLACK, WHITE = 864, 1263
GREY_MOST = 4.0  # of 255: what a picture may differ on the average, for JPEG and for rounding


class Look(Struct, frozen=True):
    """``payload``: bytes that every right answer holds; empty: a right answer is always the same."""

    check: Check
    payload: bytes = b""


def rows(tag: str, wanted: Sequence[str]) -> Check:
    """JSON with these values under a tag, each in one row, and no other row."""

    def check(answer: Answer) -> None:
        found = Counter(_value(row, tag) for row in json.loads(answer.body))
        if found != Counter(wanted):
            missing, foreign = len(set(wanted) - set(found)), len(set(found) - set(wanted))
            raise Wrong(
                f"no figure: {found.total()} rows instead of {len(wanted)}; {missing} missing, {foreign} others"
            )

    return check


def described(files: Sequence[File]) -> Check:
    """Metadata: a row for each file, in which study, series and number are right, and no pixels."""
    wanted = {
        one.sop_instance_uid: (one.study_uid, one.series_uid, one.sop_instance_uid.rpartition(".")[2]) for one in files
    }

    def check(answer: Answer) -> None:
        found = json.loads(answer.body)
        rows(INSTANCE, list(wanted))(answer)
        for row in found:
            said = (_value(row, STUDY), _value(row, SERIES), _value(row, INSTANCE_NUMBER))
            if said != wanted[_value(row, INSTANCE)] or "InlineBinary" in row.get(PIXEL_DATA, {}):
                raise Wrong(f"no figure: other metadata: {said}")

    return check


def frame(file: File, frame_bytes: int) -> Check:
    """The file's one frame is the answer's one part."""
    return one_part(file.data[-frame_bytes:])


def one_part(payload: bytes) -> Check:
    """The answer is this, in one part."""

    def check(answer: Answer) -> None:
        if parts(answer.content_type, answer.body) != [payload]:
            raise Wrong("no figure: the answer holds other bytes, or is not one part")

    return check


def parts_of(files: Sequence[File]) -> Check:
    """A part for each file, with the file's content (its encoding may be another)."""
    wanted = Counter(digest_of(one.data) for one in files)

    def check(answer: Answer) -> None:
        found = Counter(digest_of(part) for part in parts(answer.content_type, answer.body))
        if found != wanted:
            lacking = (wanted - found).total()
            raise Wrong(f"no figure: {found.total()} parts of {wanted.total()}, {lacking} missing or altered")

    return check


def picture(file: File, size: int) -> Check:
    """A JPEG of the file's pixels as its window shows them, or from their least to their most, as Orthanc draws them
    unless it is told a window. Needs numpy and imagecodecs."""

    def check(answer: Answer) -> None:
        import imagecodecs
        import numpy

        stored = numpy.frombuffer(file.data[-2 * size**2 :], "<u2").reshape(size, size).astype("f8")
        try:
            shown = numpy.asarray(imagecodecs.jpeg_decode(answer.body), "f8")
        except (ValueError, RuntimeError) as error:
            raise Wrong(f"no figure: no JPEG: {error}") from None
        shown = shown.mean(axis=2) if shown.ndim == 3 else shown
        if shown.shape != stored.shape:
            raise Wrong(f"no figure: a picture of {shown.shape} instead of {stored.shape}")
        ways = [numpy.clip((stored - black) / (white - black) * 255, 0, 255) for black, white in _ways(stored)]
        if (off := min(float(abs(shown - way).mean()) for way in ways)) > GREY_MOST:
            raise Wrong(f"no figure: another picture: {off:.1f} of 255 off")

    return check


def _ways(stored: Any) -> list[tuple[float, float]]:
    return [(BLACK, WHITE), (float(stored.min()), float(stored.max()))]


def _value(row: dict[str, dict[str, list[str]]], tag: str) -> str:
    """The first value, as text."""
    return str(row.get(tag, {}).get("Value", [""])[0])
