"""Classes, syntaxes, re-sends, computed keys, PDU sizes on a running node (C04, C07, C13, C15, C16, C18)."""

import subprocess
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, AllTransferSyntaxes

from bench.data import Shape, files
from native import pdu
from protocols.dimse import classes
from tests.filmroom.capture import Capture
from tests.filmroom.datasets import CT, EXPLICIT, IMPLICIT, ROOT
from tests.filmroom.running import SECONDS_MAX, Node, start
from tests.filmroom.wire import QUERY, Wire, identifier, implicit, message, store_request

# Of real-time video, which no store has.
NOT_TAKEN = {f"1.2.840.10008.1.2.7.{tail}" for tail in (1, 2, 3)}
DEFLATED = {f"1.2.840.10008.1.2.{tail}" for tail in ("1.99", "4.95", "4.205")}
PRIVATE = ("1.2.840.113619.4.26", "1.3.12.2.1107.5.9.1", "2.25.4711")
NAMED_SYNTAXES = "4.50 4.51 4.57 4.70 4.80 4.81 4.90 4.91 4.201 4.202 4.203 5 4.100 4.102 4.107 1.99 1 2"


class Place(msgspec.Struct, frozen=True):
    node: Node
    capture: Capture


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    store = tmp_path_factory.mktemp("conformance") / "store"
    with Capture() as capture, start(store, "--peer", f"CAPTURE=127.0.0.1:{capture.port}") as node:
        yield Place(node, capture)
        assert node.stop() == 0
        assert "Traceback" not in node.log()


def written(number: int, sop_class: str, syntax: str, **more: object) -> tuple[str, str, bytes]:
    """Study, instance and data set as pydicom writes it in this syntax, pixels encapsulated where it says so."""
    uid = UID(syntax)
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = sop_class, f"{ROOT}.4.{number}"
    made.PatientID, made.StudyInstanceUID = f"P{number}", f"{ROOT}.5.{number}"
    made.SeriesInstanceUID, made.Modality = f"{ROOT}.6.{number}", "OT"
    made.Rows = made.Columns = 4
    made.BitsAllocated = made.BitsStored = 8
    for keyword, value in more.items():
        setattr(made, keyword, value)
    pixels = bytes(range(16))
    made.add_new(0x7FE00010, "OB", encapsulate([pixels]) if uid.is_encapsulated else pixels)
    made["PixelData"].is_undefined_length = uid.is_encapsulated
    buffer = DicomIO(BytesIO())
    buffer.is_little_endian, buffer.is_implicit_VR = uid.is_little_endian, uid.is_implicit_VR
    write_dataset(buffer, made)
    data = bytes(buffer.parent.getvalue())
    if syntax in DEFLATED:
        packer = zlib.compressobj(wbits=-15)
        data = packer.compress(data) + packer.flush()
        data += b"\0" * (len(data) % 2)
    return made.StudyInstanceUID, made.SOPInstanceUID, data


def store_and_move(place: Place, pairs: list[tuple[str, str]], first_number: int) -> None:
    """Each pair an instance of a study of its own: stored, found, moved, the same bytes in the same syntax."""
    sent: dict[str, tuple[str, str, str, bytes]] = {}
    for begin in range(0, len(pairs), 120):
        part = pairs[begin : begin + 120]
        with Wire(place.node.dicom, *part, *QUERY) as wire:
            assert set(wire.accepted) >= set(part)
            for number, (sop_class, syntax) in enumerate(part, first_number + begin):
                study, sop, data = written(number, sop_class, syntax)
                assert wire.store((sop_class, syntax), sop, data).status == 0, (sop_class, syntax)
                assert len(wire.find(identifier("STUDY", study=study))) == 2
                sent[sop] = (study, sop_class, syntax, data)
            wire.release()
    place.capture.take()
    with Wire(place.node.dicom, *QUERY) as wire:
        for study, *_ in sent.values():
            assert wire.move("CAPTURE", identifier("STUDY", study=study))[-1].status == 0
    arrived = {one.sop_instance: (one.sop_class, one.transfer_syntax, one.data) for one in place.capture.take()}
    assert arrived == {sop: rest for sop, (_, *rest_list) in sent.items() for rest in [tuple(rest_list)]}


def test_C04_every_transfer_syntax_is_kept_as_it_came(place: Place) -> None:
    syntaxes = [str(uid) for uid in AllTransferSyntaxes if uid not in NOT_TAKEN]
    assert {f"1.2.840.10008.1.2.{tail}" for tail in NAMED_SYNTAXES.split()} <= set(syntaxes)
    store_and_move(place, [(CT, syntax) for syntax in syntaxes], 1000)


def test_C04_a_study_of_many_syntaxes_is_moved_each_in_its_own(place: Place) -> None:
    study = f"{ROOT}.5.1999"
    pairs = [(CT, f"1.2.840.10008.1.2.{tail}") for tail in ("1", "4.70", "4.90", "1.99", "5")]
    sent = {}
    with Wire(place.node.dicom, *pairs, *QUERY) as wire:
        for number, pair in enumerate(pairs * 2, 1900):
            _, sop, data = written(number, *pair, StudyInstanceUID=study)
            assert wire.store(pair, sop, data).status == 0
            sent[sop] = (pair[1], data)
        place.capture.take()
        assert wire.move("CAPTURE", identifier("STUDY", study=study))[-1].status == 0
        wire.release()
    assert {one.sop_instance: (one.transfer_syntax, one.data) for one in place.capture.take()} == sent


def test_C04_every_storage_class_is_kept_also_retired_and_private_ones(place: Place) -> None:
    from pynetdicom.sop_class import _STORAGE_CLASSES

    sop_classes = sorted({*classes.KNOWN_STORAGE, *_STORAGE_CLASSES.values(), *PRIVATE})
    assert len(sop_classes) > 190
    store_and_move(place, [(sop_class, EXPLICIT) for sop_class in sop_classes], 2000)


def test_C16_C18_a_study_of_more_than_128_classes_needs_several_associations(place: Place) -> None:
    study, count = f"{ROOT}.5.3000", 200
    pairs = [(f"{ROOT}.7.{number}", EXPLICIT) for number in range(count)]
    for begin in (0, 100):
        with Wire(place.node.dicom, *pairs[begin : begin + 100]) as wire:
            for number, pair in enumerate(pairs[begin : begin + 100], begin):
                _, sop, data = written(3000 + number, pair[0], EXPLICIT, StudyInstanceUID=study)
                assert wire.store(pair, sop, data).status == 0
    place.capture.take()
    before = place.capture.associations
    with Wire(place.node.dicom, *QUERY) as wire:
        final = wire.move("CAPTURE", identifier("STUDY", study=study))[-1]
    assert (final.status, final.elements[0x1021]) == (0, count)
    assert len({one.sop_class for one in place.capture.take()}) == count
    assert place.capture.associations - before == 4  # two contexts a class: as it is stored, and implicit


def test_C15_C16_a_destination_of_default_syntaxes_gets_what_it_takes(tmp_path: Path) -> None:
    jpeg, study = "1.2.840.10008.1.2.4.50", f"{ROOT}.5.4000"
    with Capture(contexts=[(CT, [IMPLICIT, EXPLICIT])]) as capture:
        peer = f"PLAIN=127.0.0.1:{capture.port}"
        with (
            start(tmp_path / "store", "--peer", peer) as node,
            Wire(node.dicom, (CT, EXPLICIT), (CT, jpeg), *QUERY) as wire,
        ):
            refused = []
            for number, syntax in enumerate([EXPLICIT, jpeg, EXPLICIT, jpeg], 4000):
                _, sop, data = written(number, CT, syntax, StudyInstanceUID=study)
                assert wire.store((CT, syntax), sop, data).status == 0
                refused += [sop] if syntax == jpeg else []
            final = wire.move("PLAIN", identifier("STUDY", study=study))[-1]
            assert final.status == 0xB000
            assert [final.elements[number] for number in (0x1021, 0x1022, 0x1023)] == [2, 2, 0]
            assert all(sop.encode() in final.identifier for sop in refused)
            assert len(capture.take()) == 2


def test_C07_sent_again_also_written_anew_is_no_duplicate_and_other_content_is_a_version(tmp_path: Path) -> None:
    with Capture() as capture, start(tmp_path / "store", "--peer", f"CAPTURE=127.0.0.1:{capture.port}") as node:
        made = list(files(Shape(studies=1, series=1, instances=4, rows=32)))
        paths = []
        for number, file in enumerate(made):
            paths.append(tmp_path / f"{number}.dcm")
            paths[-1].write_bytes(file.data)
        for proposed in ("-xe", "-xe", "-xi", "-xb"):
            words = [
                "/usr/bin/storescu",
                proposed,
                "-aec",
                "FILMROOM",
                node.dicom[0],
                str(node.dicom[1]),
                *map(str, paths),
            ]
            assert subprocess.run(words, timeout=SECONDS_MAX, check=False).returncode == 0
        with Wire(node.dicom, (CT, EXPLICIT), *QUERY) as wire:
            first = identifier("IMAGE", sop="", study=made[0].study_uid, series=made[0].series_uid)
            assert len(wire.find(first)) == 5
            assert wire.move("CAPTURE", identifier("STUDY", study=made[0].study_uid))[-1].status == 0
            arrived = capture.take()
            assert {one.transfer_syntax for one in arrived} == {EXPLICIT} and len(arrived) == 4
            other = dcmread(paths[0])
            other.PatientComments = "other content"
            buffer = DicomIO(BytesIO())
            buffer.is_little_endian, buffer.is_implicit_VR = True, False
            write_dataset(buffer, other)
            assert wire.store((CT, EXPLICIT), other.SOPInstanceUID, bytes(buffer.parent.getvalue())).status == 0
            assert len(wire.find(first)) == 5
            assert wire.move("CAPTURE", identifier("STUDY", study=made[0].study_uid))[-1].status == 0
            assert {one.data for one in capture.take()} == {one.data for one in arrived}  # the first stays current
        assert node.stop() == 0
    assert len(list((tmp_path / "store" / "archive").rglob("*.dcm"))) == 5  # four, and the version


def test_C13_computed_keys(place: Place) -> None:
    study = f"{ROOT}.5.6000"
    layout = [("CT", CT, 1), ("CT", CT, 1), ("CT", CT, 2), ("SR", "1.2.840.10008.5.1.4.1.1.88.22", 3)]
    pairs = sorted({(sop_class, EXPLICIT) for _, sop_class, _ in layout})
    with Wire(place.node.dicom, *pairs, *QUERY) as wire:
        for number, (modality, sop_class, series) in enumerate(layout, 6000):
            uids = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{ROOT}.6.6{series}", "Modality": modality}
            _, sop, data = written(number, sop_class, EXPLICIT, **uids)
            assert wire.store((sop_class, EXPLICIT), sop, data).status == 0
        wanted = (0x00080061, 0x00080062, 0x00201206, 0x00201208)
        (found,) = rows(wire, "STUDY", {0x0020000D: study}, wanted)
        assert sorted(found.ModalitiesInStudy) == ["CT", "SR"]
        assert sorted(found.SOPClassesInStudy) == [CT, "1.2.840.10008.5.1.4.1.1.88.22"]
        assert (found.NumberOfStudyRelatedSeries, found.NumberOfStudyRelatedInstances) == (3, 4)
        series_rows = rows(wire, "SERIES", {0x0020000D: study}, (0x0020000E, 0x00201209))
        assert sorted(row.NumberOfSeriesRelatedInstances for row in series_rows) == [1, 1, 2]
        assert len(rows(wire, "STUDY", {0x00080061: "SR", 0x0020000D: study}, ())) == 1
        assert rows(wire, "STUDY", {0x00080061: "MR", 0x0020000D: study}, ()) == []
        wire.release()


def rows(wire: Wire, level: str, keys: dict[int, str], wanted: tuple[int, ...]) -> list[Dataset]:
    elements = {0x00080052: level} | dict.fromkeys(wanted, "") | keys
    answers = wire.find(b"".join(implicit(tag, value) for tag, value in sorted(elements.items())))
    assert answers[-1].status == 0
    return [dcmread_implicit(answer.identifier) for answer in answers[:-1]]


def dcmread_implicit(data: bytes) -> Dataset:
    from pydicom.filereader import read_dataset

    return read_dataset(BytesIO(data), is_implicit_VR=True, is_little_endian=True)


@pytest.mark.parametrize("pdu_bytes_max", [0, 4096, 16384])
def test_C18_any_maximum_of_the_peer_is_kept_to(place: Place, tmp_path: Path, pdu_bytes_max: int) -> None:
    study, sop, data = written(7000 + pdu_bytes_max, CT, EXPLICIT, PatientComments="x" * 9000)
    with Wire(place.node.dicom, (CT, EXPLICIT), *QUERY, pdu_bytes_max=pdu_bytes_max) as wire:
        assert wire.store((CT, EXPLICIT), sop, data).status == 0
        assert len(wire.find(identifier("STUDY", study=study))) == 2
        assert wire.longest <= (pdu_bytes_max or 131072)
    with (
        Capture(pdu_bytes_max=pdu_bytes_max) as capture,
        start(tmp_path / "store", "--peer", f"CAPTURE=127.0.0.1:{capture.port}") as node,
        Wire(node.dicom, (CT, EXPLICIT), *QUERY) as wire,
    ):
        assert wire.store((CT, EXPLICIT), sop, data).status == 0
        assert wire.move("CAPTURE", identifier("STUDY", study=study))[-1].status == 0
        assert [one.data for one in capture.take()] == [data]


def test_a_second_store_before_the_first_is_answered_is_answered_in_turn(place: Place) -> None:
    made = [written(9000 + number, CT, EXPLICIT) for number in range(10)]
    with Wire(place.node.dicom, (CT, EXPLICIT)) as wire:
        context = wire.accepted[CT, EXPLICIT]
        wire.send(
            b"".join(message(context, store_request(CT, sop, at), data) for at, (_, sop, data) in enumerate(made))
        )
        assert [wire.answer().elements[0x120] for _ in made] == list(range(10))
        wire.send(bytes(pdu.encode_release_request()))
        assert wire.receive()[0] == 6
