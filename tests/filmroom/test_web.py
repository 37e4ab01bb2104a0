"""A node as users start it answers over DICOMweb what it was given over its DICOM port."""

import subprocess
from pathlib import Path

import httpx

from tests.filmroom.running import start
from tests.protocols.web.studies import ROOT, file_of, instance


def test_what_is_stored_by_dimse_is_found_over_the_web_at_once(tmp_path: Path) -> None:
    file = tmp_path / "one.dcm"
    file.write_bytes(file_of(instance(1, PatientName="Doe^Jane")))
    with start(tmp_path / "store") as node, httpx.Client(timeout=30, trust_env=False) as client:
        host, port = node.dicom
        subprocess.run(["/usr/bin/storescu", "-aec", "FILMROOM", host, str(port), str(file)], check=True, timeout=60)
        root = f"http://{node.http[0]}:{node.http[1]}/dicomweb"
        assert f"web      {root}" in node.lines
        (study,) = client.get(f"{root}/studies?PatientName=doe*").json()
        assert study["00081190"]["Value"] == [f"{root}/studies/{ROOT}.1"]
        (one,) = client.get(f"{study['00081190']['Value'][0]}/metadata").json()
        assert one["00080018"]["Value"] == [f"{ROOT}.1.1.1"]
        assert client.get(f"http://{node.http[0]}:{node.http[1]}/health/ready").json()["ready"]
        assert node.stop() == 0
    assert "Doe" not in node.log() and "error" not in node.log()
