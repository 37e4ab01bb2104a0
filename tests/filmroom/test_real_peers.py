"""Orthanc, DCMTK and pynetdicom as senders, askers and destinations of a running node (C05, C09, C15, C18)."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from bench.data import Shape, files
from bench.process import free_port
from tests.filmroom.neighbours import ORTHANC, dcmqrscp, orthanc, wait_for
from tests.filmroom.running import SECONDS_MAX, Node, start

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/dcmqrscp").exists() or not Path(ORTHANC).exists(),
    reason="DCMTK or Orthanc is not installed: apt-get install dcmtk orthanc",
)
SHAPE = Shape(studies=1, series=2, instances=10, rows=64)
COUNT = 20


class Street(msgspec.Struct, frozen=True):
    """A node, the ports of its neighbours, and the images of one study."""

    node: Node
    orthanc_port: int
    qrscp_port: int
    images: list[Path]
    study: str
    patient: str

    def dcmtk(self, tool: str, *words: str | Path) -> str:
        """What it said; it must have gone well."""
        done = subprocess.run(
            [f"/usr/bin/{tool}", *map(str, words)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def place(self) -> tuple[str, str]:
        return self.node.dicom[0], str(self.node.dicom[1])

    def store(self) -> None:
        self.dcmtk("storescu", "-aec", "FILMROOM", *self.place, *self.images)


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    folder = tmp_path / "images"
    folder.mkdir()
    for file in files(SHAPE):
        (folder / f"{file.sop_instance_uid}.dcm").write_bytes(file.data)
    images = sorted(folder.iterdir())
    first = dcmread(images[0], stop_before_pixels=True)
    ports = free_port(), free_port()
    peers = ("--peer", f"ORTHANC=127.0.0.1:{ports[0]}", "--peer", f"QRSCP=127.0.0.1:{ports[1]}")
    with start(tmp_path / "store", *peers) as node:
        yield Street(node, *ports, images, str(first.StudyInstanceUID), str(first.PatientID))
        assert node.stop() == 0
        assert "Traceback" not in node.log() and str(first.PatientName) not in node.log()


def pixels_of(paths: list[Path]) -> set[tuple[str, bytes]]:
    read = [dcmread(path, force=True) for path in paths]
    return {(str(one.SOPInstanceUID), bytes(one.PixelData)) for one in read}


def test_orthanc_sends_asks_and_is_a_destination(tmp_path: Path, street: Street) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with orthanc(first, street.node.dicom, port=street.orthanc_port) as sender:
        for path in street.images:
            sender.post("/instances", path.read_bytes())
        (study,) = sender.get("/studies")
        sent = sender.post("/modalities/filmroom/store", study.encode())
        assert (sent["InstancesCount"], sent["FailedInstancesCount"]) == (COUNT, 0)
    with orthanc(second, street.node.dicom, port=street.orthanc_port) as asker:
        assert asker.post("/modalities/filmroom/echo", {}) == {}
        question = {"Level": "Study", "Query": {"PatientID": street.patient, "StudyDescription": ""}}
        query = asker.post("/modalities/filmroom/query", question)["ID"]
        assert asker.get(f"/queries/{query}/answers") == ["0"]
        found = asker.get(f"/queries/{query}/answers/0/content?simplify")
        assert (found["PatientID"], found["StudyInstanceUID"]) == (street.patient, street.study)
        asker.post(f"/queries/{query}/answers/0/retrieve", b"ORTHANC")
        arrived = tmp_path / "arrived"
        arrived.mkdir()
        for instance in asker.get("/instances"):
            (arrived / f"{instance}.dcm").write_bytes(asker.file(instance))
        assert pixels_of(list(arrived.iterdir())) == pixels_of(street.images)


def test_dcmqrscp_is_a_destination_and_a_source(tmp_path: Path, street: Street) -> None:
    wanted = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={street.study}")
    with dcmqrscp(tmp_path / "qrscp", street.node.dicom, port=street.qrscp_port):
        there = ("127.0.0.1", str(street.qrscp_port))
        street.dcmtk("storescu", "-aec", "QRSCP", *there, *street.images)
        street.dcmtk("movescu", "-S", "-aec", "QRSCP", "-aem", "FILMROOM", *wanted, *there)
        found = street.dcmtk("findscu", "-v", "-S", *wanted, "-k", "NumberOfStudyRelatedInstances", *street.place)
        assert f"[{COUNT}]" in found
    with dcmqrscp(tmp_path / "other", street.node.dicom, port=street.qrscp_port):
        moved = street.dcmtk("movescu", "-v", "-S", "-aec", "FILMROOM", "-aem", "QRSCP", *wanted, *street.place)
        assert "Received Final Move Response (Success)" in moved
        arrived = [path for path in (tmp_path / "other" / "images").iterdir() if path.name != "index.dat"]
        assert pixels_of(arrived) == pixels_of(street.images)


def test_dcmsend_and_storescp(tmp_path: Path, street: Street) -> None:
    street.dcmtk("dcmsend", "-aec", "FILMROOM", *street.place, *street.images)
    received = tmp_path / "received"
    received.mkdir()
    words = ["/usr/bin/storescp", "-od", received, "--prefer-uncompr", str(street.qrscp_port)]
    with subprocess.Popen(words) as process:
        try:
            wait_for(street.qrscp_port, process)
            wanted = ("-k", "QueryRetrieveLevel=PATIENT", "-k", f"PatientID={street.patient}")
            street.dcmtk("movescu", "-P", "-aec", "FILMROOM", "-aem", "QRSCP", *wanted, *street.place)
        finally:
            process.kill()
    assert pixels_of(list(received.iterdir())) == pixels_of(street.images)


def test_C18_sixteen_movescu_at_once_into_dcmqrscp(tmp_path: Path, street: Street) -> None:
    """All end, with right counters; dcmqrscp's processes quarrel about its index: what it refuses is logged."""
    folder = tmp_path / "many"
    folder.mkdir()
    studies: dict[str, None] = {}
    for file in files(Shape(studies=16, series=1, instances=5, rows=256, seed=18)):
        (folder / f"{file.sop_instance_uid}.dcm").write_bytes(file.data)
        studies[file.study_uid] = None
    street.dcmtk("storescu", "-aec", "FILMROOM", *street.place, *sorted(folder.iterdir()))
    words = ["/usr/bin/movescu", "-d", "-S", "-aec", "FILMROOM", "-aem", "QRSCP", "-k", "QueryRetrieveLevel=STUDY"]
    with dcmqrscp(tmp_path / "qrscp", street.node.dicom, port=street.qrscp_port, pdu_bytes_max=65536):
        moving = [
            subprocess.Popen(
                [*words, "-k", f"StudyInstanceUID={study}", *street.place],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            for study in studies
        ]
        said = [process.communicate(timeout=SECONDS_MAX)[0] for process in moving]
    assert len(said) == 16
    completed, failed = ([int(counted(text, name)) for text in said] for name in ("Completed", "Failed"))
    assert [one + other for one, other in zip(completed, failed, strict=True)] == [5] * 16
    assert all("Received Final Move Response" in text for text in said)
    lines = [
        json.loads(line) for line in street.node.log().splitlines() if "instances not sent: the peer answered" in line
    ]
    assert sum(line["count"] for line in lines) == sum(failed) < 16


def counted(text: str, name: str) -> str:
    """A counter of the last response that movescu showed."""
    return [line.rsplit(":", 1)[1].strip() for line in text.splitlines() if f"{name} Suboperations" in line][-1]


def test_pynetdicom_stores_finds_and_moves_to_itself(tmp_path: Path, street: Street) -> None:
    from pynetdicom import AE, StoragePresentationContexts, evt
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as Move
    from pynetdicom.sop_class import Verification

    arrived: list[tuple[str, bytes]] = []

    def keep(event: evt.Event) -> int:
        arrived.append((str(event.dataset.SOPInstanceUID), bytes(event.dataset.PixelData)))
        return 0

    destination = AE(ae_title="QRSCP")
    destination.supported_contexts = StoragePresentationContexts
    server = destination.start_server(
        ("127.0.0.1", street.qrscp_port), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)]
    )
    entity = AE(ae_title="PYNETDICOM")
    entity.requested_contexts = StoragePresentationContexts[:124]
    for sop_class in (Verification, Find, Move):
        entity.add_requested_context(sop_class)
    association = entity.associate(*street.node.dicom, ae_title="FILMROOM")
    try:
        assert association.is_established
        assert association.send_c_echo().Status == 0
        assert [association.send_c_store(dcmread(path)).Status for path in street.images] == [0] * COUNT
        question = Dataset()
        question.QueryRetrieveLevel, question.StudyInstanceUID = "STUDY", street.study
        found = [answer for status, answer in association.send_c_find(question, Find) if status.Status == 0xFF00]
        assert [str(one.StudyInstanceUID) for one in found] == [street.study]
        final = list(association.send_c_move(question, "QRSCP", Move))[-1][0]
        assert (final.Status, final.NumberOfCompletedSuboperations) == (0, COUNT)
    finally:
        association.release()
        server.shutdown()
    assert set(arrived) == pixels_of(street.images) and len(arrived) == COUNT
