"""Real clients fetch from a running node over the web: dicomweb-client, dicomtrolley, Orthanc's DICOMweb plug-in; and
dciodvfy finds nothing wrong with what leaves (C23, C33, C39)."""

import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest
import requests
from dicomweb_client import DICOMwebClient

from bench.process import free_port
from tests.filmroom.neighbours import orthanc
from tests.filmroom.running import Node
from tests.filmroom.test_web_clients import PLUGIN

DCIODVFY = shutil.which("dciodvfy")


def url_of(node: Node) -> str:
    return f"http://{node.http[0]}:{node.http[1]}/dicomweb"


def fill(node: Node, images: Path) -> dict[str, pydicom.Dataset]:
    """Store all images; they by SOP Instance UID."""
    files = [pydicom.dcmread(path) for path in sorted(images.iterdir())]
    DICOMwebClient(url_of(node)).store_instances(files)
    return {str(file.SOPInstanceUID): file for file in files}


def test_dicomweb_client_reads_all_that_it_stored(node: Node, images: Path) -> None:
    sent = fill(node, images)
    client = DICOMwebClient(url_of(node))
    for row in client.search_for_studies():
        study = row["0020000D"]["Value"][0]
        expected = {uid: file for uid, file in sent.items() if file.StudyInstanceUID == study}
        got = {one.SOPInstanceUID: one for one in client.retrieve_study(study)}
        assert got.keys() == expected.keys()
        assert all(got[uid] == expected[uid] for uid in got)
        metadata = client.retrieve_study_metadata(study)
        assert {one["00080018"]["Value"][0] for one in metadata} == set(expected)
        of_series = client.retrieve_series(study, metadata[0]["0020000E"]["Value"][0])
        assert len(of_series) == 3
        first = metadata[0]["00080018"]["Value"][0]
        (frame,) = client.retrieve_instance_frames(study, of_series[0].SeriesInstanceUID, first, [1])
        assert frame == expected[first].PixelData


def test_dicomtrolley_finds_and_downloads(node: Node, images: Path) -> None:
    wado = pytest.importorskip("dicomtrolley.wado_rs", reason="dicomtrolley is not installed")
    from dicomtrolley.qido_rs import HierarchicalQuery, QidoRS
    from dicomtrolley.trolley import Trolley

    sent = fill(node, images)
    session = requests.Session()
    session.trust_env = False
    trolley = Trolley(downloader=wado.WadoRS(session, url_of(node)), searcher=QidoRS(session, url_of(node)))
    patient = next(iter(sent.values())).PatientID
    (study,) = trolley.find_studies(HierarchicalQuery(PatientID=patient))
    got = {one.SOPInstanceUID: one for one in trolley.fetch_all_datasets([study])}
    assert got == {uid: file for uid, file in sent.items() if file.PatientID == patient}


@pytest.mark.skipif(not PLUGIN.exists(), reason="Orthanc's DICOMweb plug-in is not installed: orthanc-dicomweb")
def test_orthanc_pulls_a_study(node: Node, images: Path, tmp_path: Path) -> None:
    sent = fill(node, images)
    study = next(iter(sent.values())).StudyInstanceUID
    (tmp_path / "orthanc").mkdir()
    more = {"Plugins": [str(PLUGIN)], "DicomWeb": {"Enable": True, "Servers": {"filmroom": [f"{url_of(node)}/"]}}}
    with orthanc(tmp_path / "orthanc", node.dicom, port=free_port(), more=more) as server:
        asked = {"Resources": [{"Study": study}], "Synchronous": True}
        assert int(server.post("/dicom-web/servers/filmroom/retrieve", asked)["ReceivedInstancesCount"]) == 6
        got = {server.get(f"/instances/{one}/simplified-tags")["SOPInstanceUID"] for one in server.get("/instances")}
    assert got == {uid for uid, file in sent.items() if file.StudyInstanceUID == study}


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy is not installed: dicom3tools")
def test_dciodvfy_says_of_what_leaves_what_it_said_of_what_came(node: Node, images: Path, tmp_path: Path) -> None:
    sent = fill(node, images)
    leaving = tmp_path / "leaving.dcm"
    for uid, file in list(sent.items())[:3]:
        path = f"studies/{file.StudyInstanceUID}/series/{file.SeriesInstanceUID}/instances/{uid}"
        answer = requests.get(f"{url_of(node)}/{path}", headers={"Accept": "application/dicom"}, timeout=30)
        leaving.write_bytes(answer.content)
        assert complaints(leaving) == complaints(images / f"{uid}.dcm")


def complaints(path: Path) -> list[str]:
    done = subprocess.run([str(DCIODVFY), path], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert any("CTImage" in line for line in said)  # it knew what it looked at
    return [line for line in said if line.startswith("Error")]
