"""Real clients store to a running node: dicomweb-client, Orthanc's DICOMweb plug-in, curl (C40, C44-C48)."""

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicomweb_client import DICOMwebClient

from bench.process import free_port
from native.canonical import EXPLICIT, canonical_head
from native.dataset import element
from tests.filmroom.neighbours import orthanc
from tests.filmroom.running import Node

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
CURL = shutil.which("curl")
BOUNDARY = b"b0undary"
CT = "1.2.840.10008.5.1.4.1.1.2"
BLOCK = bytes(1 << 20)
LARGE_BLOCKS = int(os.environ.get("FILMROOM_TEST_LARGE_MIB", "300"))  # the campaign sends 5120
GROWTH_BYTES_MAX = 100 << 20


def client_of(node: Node) -> DICOMwebClient:
    return DICOMwebClient(f"http://{node.http[0]}:{node.http[1]}/dicomweb")


def test_c44_c45_c48_dicomweb_client_stores_finds_and_deletes(node: Node, images: Path) -> None:
    files = [pydicom.dcmread(path) for path in sorted(images.iterdir())]
    client = client_of(node)
    answer = client.store_instances(files)
    kept = {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence}
    assert kept == {file.SOPInstanceUID for file in files} and "FailedSOPSequence" not in answer
    (first, *_) = files
    study = first.StudyInstanceUID
    of_study = [file for file in files if file.StudyInstanceUID == study]
    assert len(client.search_for_instances(study)) == len(of_study)
    other = next(file for file in files if file.StudyInstanceUID != study)
    answer = client.store_instances([first, other], study_instance_uid=study)
    assert [item.ReferencedSOPInstanceUID for item in answer.FailedSOPSequence] == [other.SOPInstanceUID]
    client.delete_instance(study, first.SeriesInstanceUID, first.SOPInstanceUID)
    assert len(client.search_for_instances(study)) == len(of_study) - 1
    client.delete_study(study)
    assert len(client.search_for_studies()) == 1


@pytest.mark.skipif(not PLUGIN.exists(), reason="Orthanc's DICOMweb plug-in is not installed: orthanc-dicomweb")
def test_c44_orthanc_pushes_its_studies_to_us(node: Node, images: Path, tmp_path: Path) -> None:
    (tmp_path / "orthanc").mkdir()
    ours = {"filmroom": [f"http://{node.http[0]}:{node.http[1]}/dicomweb/"]}
    more = {"Plugins": [str(PLUGIN)], "DicomWeb": {"Enable": True, "Servers": ours}}
    with orthanc(tmp_path / "orthanc", node.dicom, port=free_port(), more=more) as server:
        for path in sorted(images.iterdir()):
            server.post("/instances", path.read_bytes())
        studies = server.get("/studies")
        answer = server.post("/dicom-web/servers/filmroom/stow", {"Resources": studies, "Synchronous": True})
        assert int(answer["InstancesCount"]) == 12
    found = client_of(node).search_for_instances()
    assert {row["00080018"]["Value"][0] for row in found} == {path.stem for path in images.iterdir()}


def large_body(size_blocks: int) -> Iterator[bytes]:
    """One instance of that many MiB of pixel data, as a multipart body."""
    uids = (CT, "1.2.3.4", "1.2.3.5", "1.2.3.6")
    tags = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)
    header = b"".join(element(tag, "UI", uid.encode()) for tag, uid in zip(tags, uids, strict=True))
    yield b"--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
    yield canonical_head(CT, uids[1], EXPLICIT) + header
    # Several elements: one is at most 4 GiB long.
    for number in range(0, size_blocks, 1024):
        count = min(1024, size_blocks - number)
        yield bytes((0x11, 0x77, number // 1024 + 1, 0x10)) + b"OB\0\0" + (count << 20).to_bytes(4, "little")
        for _ in range(count):
            yield BLOCK
    yield b"\r\n--" + BOUNDARY + b"--"


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_c40_c47_an_instance_of_any_size_is_taken_and_given_in_flat_memory(node: Node) -> None:
    url = f"http://{node.http[0]}:{node.http[1]}/dicomweb/studies"
    command: list[Any] = [CURL, "-sS", "-T", "-", "-X", "POST", "-H"]
    command += [f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY.decode()}', url]
    before, most = node.resident_bytes(), 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as curl:
        assert curl.stdin is not None and curl.stdout is not None
        for number, piece in enumerate(large_body(LARGE_BLOCKS)):
            curl.stdin.write(piece)
            if number % 16 == 0:
                most = max(most, node.resident_bytes())
        curl.stdin.close()
        said = json.loads(curl.stdout.read())
    for place in ("1.2.3.5", "1.2.3.5/series/1.2.3.6/instances/1.2.3.4"):
        fetch: list[Any] = [CURL, "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", f"{url}/{place}"]
        fetch += ["-H", 'Accept: multipart/related; type="application/dicom"; transfer-syntax=*']
        with subprocess.Popen(fetch, stdout=subprocess.PIPE, text=True) as curl:
            while curl.poll() is None:
                most = max(most, node.resident_bytes())
                select.select([], [], [], 0.01)
            assert curl.stdout is not None
            status, size = curl.stdout.read().split()
        assert status == "200" and int(size) > LARGE_BLOCKS << 20
    most = max(most, node.resident_bytes())
    assert [item["00081155"]["Value"] for item in said["00081199"]["Value"]] == [["1.2.3.4"]]
    sys.stdout.write(f"{LARGE_BLOCKS} MiB: {before >> 20} MiB before, {most >> 20} MiB at most\n")
    assert most < before + GROWTH_BYTES_MAX
