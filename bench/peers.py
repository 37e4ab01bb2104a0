"""The servers that are compared: ours and others', each on a free port of 127.0.0.1 with its files below one folder.

Other servers get what helps them: TCP_NODELAY=1 in their environment (DCMTK then sends without delay), PDUs of 128 KiB,
no compression, no limit on answers, no access checks. ``settings`` of each says so, for the report.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

from bench.dcmtk import tool
from bench.http import Web
from bench.lean import Target
from bench.process import Elsewhere, Process, await_line, free_port, started

ROOT = Path(__file__).parent.parent
NO_DELAY = {"TCP_NODELAY": "1"}
PDU_BYTES = 131072
ASSOCIATIONS_MAX = 64
# pynetdicom's qrscp takes ten associations at once, and has no setting for it: twenty senders would be turned away.
WIDE_QRSCP = f"""
from pynetdicom.apps.qrscp import qrscp
class Wide(qrscp.AE):
    def __init__(self, *words, **named):
        super().__init__(*words, **named)
        self.maximum_associations = {ASSOCIATIONS_MAX}
qrscp.AE = Wide
qrscp.main()
"""
ORTHANC_WEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Server(Struct, frozen=True):
    """A running server. ``settings``: what it was given, in one line. ``start_seconds``: until it took connections.
    ``web``: where it speaks DICOMweb, if it does. ``senders``: how many may store at once."""

    name: str
    target: Target
    process: Process
    settings: str
    start_seconds: float
    web: Web | None = None
    senders: int = 4

    @property
    def is_watched(self) -> bool:
        """Whether what it costs is seen."""
        return not isinstance(self.process, Elsewhere)


Destinations = Mapping[str, int]  # AE title to port
NOWHERE: Destinations = MappingProxyType({})


@contextmanager
def filmroom(
    folder: Path,
    destinations: Destinations = NOWHERE,
    *,
    intake_bytes: int | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """Our own server, as a user starts it. ``variables``: settings, as the environment names them."""
    command: list[str | Path] = [sys.executable, "-m", "filmroom", "serve"]
    command += [folder / "store", "--dimse-port", "0", "--http-port", "0"]
    for title, port in destinations.items():
        command += ["--peer", f"{title}=127.0.0.1:{port}"]
    environment = {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}", "NO_COLOR": "1", **variables}
    if intake_bytes is not None:
        environment["FILMROOM_STORE_INTAKE_BYTES_MAX"] = str(intake_bytes)
    begun = time.perf_counter()
    with started(command, folder, None, environment) as process:
        line = await_line(process, "ready ")
        seconds = time.perf_counter() - begun
        port, web_port = (int(word.rpartition(":")[2]) for word in line.split()[1:3])
        settings = f"intake {intake_bytes >> 20} MiB" if intake_bytes else "as shipped"
        settings += ", ack = disk (synced before it answers), PDU 131072, TCP_NODELAY on every socket"
        yield Server("filmroom", Target(port, "FILMROOM"), process, settings, seconds, Web(web_port, "/dicomweb"))


@contextmanager
def orthanc(
    folder: Path, destinations: Destinations = NOWHERE, *, no_delay: bool = True, web: bool = False
) -> Iterator[Server]:
    """Orthanc with SQLite, its files on the same disk. ``web``: with its DICOMweb plug-in, giving whole metadata."""
    if web and not ORTHANC_WEB.exists():
        raise RuntimeError(f"Orthanc's DICOMweb plug-in is not installed ({ORTHANC_WEB})")
    port, web_port = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "Name": "bench",
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "HttpPort": web_port,
        "RemoteAccessAllowed": False,
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "StorageCompression": False,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "LimitFindInstances": 0,
        "LimitFindResults": 0,
        "MaximumPduLength": PDU_BYTES,
        "SaveJobs": False,
        "DicomModalities": {title: [title, "127.0.0.1", at] for title, at in destinations.items()},
        "HttpCompressionEnabled": False,
        "Plugins": [str(ORTHANC_WEB)] if web else [],
        "DicomWeb": {"Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    command: list[str | Path] = ["Orthanc", folder / "orthanc.json"]
    with _started("orthanc", command, folder, port, "ORTHANC", no_delay, "SQLite") as server:
        yield msgspec.structs.replace(server, web=Web(web_port, "/dicom-web")) if web else server


@contextmanager
def dcmqrscp(
    folder: Path, destinations: Destinations = NOWHERE, *, no_delay: bool = True, pdu_bytes: int = PDU_BYTES
) -> Iterator[Server]:
    """DCMTK's archive. It loses data with more than one sender: store into it by one association."""
    port = free_port()
    (folder / "store").mkdir(parents=True, exist_ok=True)
    hosts = "\n".join(f"h{title.lower()} = ({title}, 127.0.0.1, {at})" for title, at in destinations.items())
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = {pdu_bytes}\nMaxAssociations = {ASSOCIATIONS_MAX}\n"
        f"HostTable BEGIN\n{hosts}\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nQRSCP {folder / 'store'} RW (100000, 1024gb) ANY\nAETable END\n"
    )
    command: list[str | Path] = [tool("dcmqrscp"), "-c", folder / "dcmqrscp.cfg"]
    with _started(
        "dcmqrscp", command, folder, port, "QRSCP", no_delay, "a process an association", pdu_bytes
    ) as server:
        yield msgspec.structs.replace(server, senders=1)


@contextmanager
def pynetdicom(folder: Path, destinations: Destinations = NOWHERE) -> Iterator[Server]:
    """pynetdicom's archive: Python, a thread an association, SQLite."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instances").mkdir(exist_ok=True)
    moves = "".join(f"[{title}]\naddress: 127.0.0.1\nport: {at}\n" for title, at in destinations.items())
    (folder / "qrscp.ini").write_text(
        f"[DEFAULT]\nae_title: QRSCP\nport: {port}\nmax_pdu: {PDU_BYTES}\nacse_timeout: 30\ndimse_timeout: 120\n"
        f"network_timeout: 120\nbind_address: 127.0.0.1\ninstance_location: {folder / 'instances'}\n"
        f"database_location: {folder / 'instances.sqlite'}\nlog_identifier: False\n{moves}"
    )
    command: list[str | Path] = [sys.executable, "-c", WIDE_QRSCP, "-c", folder / "qrscp.ini", "-q"]
    note = f"SQLite, a thread an association, {ASSOCIATIONS_MAX} of them (as shipped 10)"
    with _started("pynetdicom", command, folder, port, "QRSCP", True, note) as server:
        yield msgspec.structs.replace(server, senders=1)


@contextmanager
def storescp(folder: Path, *, fork: bool = False, implicit: bool = False) -> Iterator[Server]:
    """DCMTK's receiver that keeps nothing: where C-MOVE sends to, and the yardstick of receiving.

    One association at a time, or with ``fork`` a process each. ``implicit``: it takes Implicit VR Little Endian alone.
    """
    port = free_port()
    command: list[str | Path] = [tool("storescp"), "--ignore", "--max-pdu", str(PDU_BYTES)]
    command += [*["--fork"] * fork, *["--implicit"] * implicit, str(port)]
    with _started("storescp --ignore", command, folder, port, "STORESCP", True, "keeps nothing") as server:
        yield server


@contextmanager
def own_sink(folder: Path, *, segments: int = 0) -> Iterator[Server]:
    """Our receiver alone: dropping what comes, or with ``segments`` keeping it in an intake that nothing drains."""
    command = [sys.executable, "-m", "bench", "sink", "--segments", str(segments), "--folder", str(folder)]
    begun = time.perf_counter()
    with started(command, folder, None, {"PYTHONPATH": str(ROOT)}) as process:
        port = int(await_line(process, "ready ").split()[1])
        name = "intake alone" if segments else "lean sink"
        yield Server(name, Target(port, "SINK"), process, "", time.perf_counter() - begun)


@contextmanager
def storescp_sinks(folder: Path, count: int, *, implicit: bool = False) -> Iterator[tuple[Destinations, list[Server]]]:
    """One ``storescp --ignore`` for each worker, under the AE titles WS1, WS2, ..."""
    with ExitStack() as running:
        servers = [
            running.enter_context(storescp(folder / f"sink{number}", implicit=implicit))
            for number in range(1, count + 1)
        ]
        yield {f"WS{number}": server.target.port for number, server in enumerate(servers, 1)}, servers


@contextmanager
def _started(
    name: str,
    command: list[str | Path],
    folder: Path,
    port: int,
    title: str,
    no_delay: bool,
    note: str,
    pdu_bytes: int = PDU_BYTES,
) -> Iterator[Server]:
    begun = time.perf_counter()
    with started(command, folder, port, NO_DELAY if no_delay else {}) as process:
        settings = f"{note}, PDU {pdu_bytes}, TCP_NODELAY={'1' if no_delay else 'unset (as shipped)'}"
        yield Server(name, Target(port, title), process, settings, time.perf_counter() - begun)
