"""Other people's DICOM servers on free ports: Orthanc and DCMTK's dcmqrscp."""

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.process import free_port
from tests.filmroom.running import wait_until

ORTHANC = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
SECONDS = 30
Address = tuple[str, int]


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the process listens."""
    wait_until(lambda: answers(port) or process.poll() is not None)
    assert process.poll() is None, f"{process.args!r} has ended"


class Orthanc:
    """A running Orthanc with one modality, ``filmroom``."""

    def __init__(self, dicom_port: int, http_port: int) -> None:
        self.dicom_port = dicom_port
        self._url = f"http://127.0.0.1:{http_port}"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self._url + path, timeout=SECONDS) as response:
            return json.load(response)

    def post(self, path: str, body: bytes | dict[str, Any]) -> Any:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        with urllib.request.urlopen(self._url + path, data, timeout=SECONDS) as response:
            return json.load(response)

    def file(self, instance: str) -> bytes:
        with urllib.request.urlopen(f"{self._url}/instances/{instance}/file", timeout=SECONDS) as response:
            return bytes(response.read())


@contextmanager
def orthanc(
    folder: Path, filmroom: Address, *, port: int, more: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[Orthanc]:
    """Orthanc on ``port`` that knows the node at ``filmroom``; ``more`` of its settings."""
    http_port = free_port()
    settings = {
        "StorageDirectory": str(folder),
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "UnknownSopClassAccepted": True,
        "Plugins": [],
        "DicomModalities": {"filmroom": ["FILMROOM", *filmroom]},
        **more,
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    with subprocess.Popen([ORTHANC, file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port, process)
            wait_for(http_port, process)
            yield Orthanc(port, http_port)
        finally:
            process.kill()


@contextmanager
def dcmqrscp(folder: Path, filmroom: Address, *, port: int, pdu_bytes_max: int = 65536) -> Iterator[None]:
    """DCMTK's archive QRSCP on ``port``, which knows the node at ``filmroom``."""
    (folder / "images").mkdir(parents=True)
    file = folder / "dcmqrscp.cfg"
    file.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = {pdu_bytes_max}\nMaxAssociations = 64\n"
        f"HostTable BEGIN\nfilmroom = (FILMROOM, {filmroom[0]}, {filmroom[1]})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nQRSCP {folder / 'images'} RW (500, 1024mb) ANY\nAETable END\n"
    )
    command = ["/usr/bin/dcmqrscp", "-c", file]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port, process)
            yield
        finally:
            process.kill()
