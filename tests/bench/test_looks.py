"""Answers of DICOMweb are looked at for what they hold: another byte, a row too many or too few is no figure."""

import json
from io import BytesIO

import pytest
from pydicom import dcmread

from bench import looks
from bench.content import Wrong
from bench.data import Shape, files
from bench.http import Answer, Check

SIZE = 32
MADE = list(files(Shape(series=1, instances=3, rows=SIZE)))
UIDS = [file.sop_instance_uid for file in MADE]


def answer(body: bytes, media_type: str = "application/dicom+json") -> Answer:
    read = Answer()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Type: {media_type}\r\n\r\n"
    assert read.feed(head.encode() + body)
    return read


def in_parts(*bodies: bytes) -> Answer:
    written = b"".join(b"--x\r\n\r\n" + body + b"\r\n" for body in bodies)
    return answer(written + b"--x--\r\n", 'multipart/related; boundary="x"')


def row(uid: str, number: str, study: str = MADE[0].study_uid) -> dict[str, dict[str, object]]:
    values = {looks.INSTANCE: uid, looks.INSTANCE_NUMBER: number, looks.STUDY: study}
    values[looks.SERIES] = MADE[0].series_uid
    return {tag: {"vr": "UI", "Value": [value]} for tag, value in values.items()}


ROWS = [row(uid, str(number)) for number, uid in enumerate(UIDS, 1)]


def refused(check: Check, *wrong: Answer) -> None:
    for one in wrong:
        with pytest.raises(Wrong, match="no figure"):
            check(one)


def test_rows_are_those_that_were_stored() -> None:
    check = looks.rows(looks.INSTANCE, UIDS)
    check(answer(json.dumps(ROWS[::-1]).encode()))
    for wrong in (ROWS[1:], [*ROWS, ROWS[0]], [*ROWS[1:], row("1.2", "1")], []):
        refused(check, answer(json.dumps(wrong).encode()))


def test_metadata_is_that_of_each_instance() -> None:
    check = looks.described(MADE)
    check(answer(json.dumps(ROWS).encode()))
    pixels = {**ROWS[0], looks.PIXEL_DATA: {"vr": "OW", "InlineBinary": ["AAAA"]}}
    for wrong in (row(UIDS[0], "7"), row(UIDS[0], "1", study="1.2"), pixels):
        refused(check, answer(json.dumps([wrong, *ROWS[1:]]).encode()))


def test_a_frame_is_the_one_part() -> None:
    frame = MADE[0].data[-2 * SIZE**2 :]
    check = looks.frame(MADE[0], 2 * SIZE**2)
    check(in_parts(frame))
    refused(check, in_parts(frame[:-1] + b"\xff"), in_parts(frame, frame), in_parts(b"x" + frame), in_parts())


def test_a_study_is_all_of_its_files() -> None:
    whole = [file.data for file in MADE]
    check = looks.parts_of(MADE)
    check(in_parts(*whole[::-1]))
    altered = whole[0][:400] + bytes([whole[0][400] ^ 1]) + whole[0][401:]  # far before its last bytes
    refused(check, in_parts(*whole[1:]), in_parts(*whole, whole[0]), in_parts(altered, *whole[1:]))


def test_a_picture_is_that_of_the_pixels() -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    numpy = pytest.importorskip("numpy")
    stored = numpy.frombuffer(MADE[1].data[-2 * SIZE**2 :], "<u2").reshape(SIZE, SIZE).astype("f8")
    grey = numpy.clip((stored - looks.BLACK) / (looks.WHITE - looks.BLACK), 0, 1) * 255
    shown = imagecodecs.jpeg_encode(grey.astype("u1"), level=95)
    check = looks.picture(MADE[1], SIZE)
    check(answer(shown, "image/jpeg"))
    negative = imagecodecs.jpeg_encode((255 - grey).astype("u1"), level=95)
    small = imagecodecs.jpeg_encode(grey[1:].astype("u1"), level=95)
    refused(check, *(answer(wrong, "image/jpeg") for wrong in (negative, small, shown[:50], b"")))


def test_black_and_white_are_those_of_the_files_window() -> None:
    read = dcmread(BytesIO(MADE[0].data))
    centre, width, intercept = (float(read[tag].value) for tag in (0x00281050, 0x00281051, 0x00281052))
    assert centre - 0.5 - (width - 1) / 2 - intercept == looks.BLACK
    assert centre - 0.5 + (width - 1) / 2 - intercept == looks.WHITE
