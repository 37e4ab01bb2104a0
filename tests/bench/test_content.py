"""What comes back is held against what was made: re-encoded it passes, altered, missing or twice it does not."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian

from bench import lean
from bench.content import Truth, Wrong, digest_of
from bench.data import File, Shape, files
from bench.lean import Target
from bench.multipart import parts
from bench.stand import sinking

MADE = list(files(Shape(series=2, instances=3, rows=64)))


def truth() -> Truth:
    made = Truth()
    made.add(MADE)
    return made


def altered(file: File) -> bytes:
    return file.data[:-1] + bytes([file.data[-1] ^ 1])


def test_another_encoding_is_the_same_content() -> None:
    data_set = dcmread(BytesIO(MADE[0].data))
    for element in data_set:
        if element.VR == "SQ":
            element.is_undefined_length = True
    data_set.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    written = BytesIO()
    data_set.save_as(written, implicit_vr=True, little_endian=True)
    assert written.getvalue() != MADE[0].data
    assert digest_of(written.getvalue()) == digest_of(MADE[0].data)


def test_what_is_altered_missing_foreign_or_twice_is_wrong() -> None:
    uids = [file.sop_instance_uid for file in MADE]
    right = [(file.sop_instance_uid, digest_of(file.data)) for file in MADE]
    truth().check(right, uids)
    for taken, wanted, reason in (
        ([(uids[0], digest_of(altered(MADE[0]))), *right[1:]], uids, "1 came altered"),
        ([(uids[0], digest_of(b"no file")), *right[1:]], uids, "1 came altered"),
        (right[1:], uids, "1 did not come"),
        (right, uids[1:], "1 more that were not asked for"),
        ([*right, right[0]], uids, "1 more that were not asked for or came twice"),
        ([*right, ("1.2.3", b"")], uids, "1 more"),
    ):
        with pytest.raises(Wrong, match=reason):
            truth().check(taken, wanted)
    truth().check(right, uids[1:], allowed=uids)  # what was not answered may have been kept
    for taken, reason in (([*right, right[0]], "1 more"), ([(uids[0], b""), *right[1:]], "1 came altered")):
        with pytest.raises(Wrong, match=reason):
            truth().check(taken, uids[1:], allowed=uids)


def test_sinks_hash_what_comes(tmp_path: Path) -> None:
    with sinking(tmp_path) as sinks:
        target = Target(sinks.destinations["WS2"], "ANY")
        lean.store(target, [MADE[:4], MADE[4:]])
        truth().check(sinks.taken(), [file.sop_instance_uid for file in MADE])
        assert sinks.taken() == []
        one = File(*(getattr(MADE[0], name) for name in ("study_uid", "series_uid", "sop_instance_uid")), "", b"")
        lying = File(one.study_uid, one.series_uid, one.sop_instance_uid, "", altered(MADE[0]))
        lean.store(target, [[lying]])
        with pytest.raises(Wrong, match="1 came altered"):
            truth().check(sinks.taken(), [one.sop_instance_uid])


def test_parts_of_an_answer_are_what_stands_between_boundaries() -> None:
    body = b"--b\r\nContent-Type: x\r\n\r\none\r\n--b\r\n\r\ntwo\r\n\r\n--b--\r\n"
    assert parts('multipart/related; type="x"; boundary=b', body) == [b"one", b"two\r\n"]
    assert parts("application/dicom", body) == [body]
