"""What is measured: servers that the bench starts (``SERVERS``), and servers that run already, by their address."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from bench.dcmtk import is_installed
from bench.http import Web
from bench.lean import Target
from bench.peers import ORTHANC_WEB, Destinations, Server, dcmqrscp, filmroom, orthanc, pynetdicom
from bench.process import Elsewhere
from bench.report import OURS

STOCK_PDU_BYTES = 16384


class Start(Protocol):
    """Starts a server with its files below a folder, knowing where C-MOVE may send to."""

    def __call__(self, folder: Path, destinations: Destinations, /) -> AbstractContextManager[Server]:
        """Runs until the block ends."""


class Managed(Struct, frozen=True):
    """A server that the bench starts and stops, when it is installed."""

    start: Start
    is_installed: Callable[[], bool]


def _orthanc(folder: Path, destinations: Destinations, *, no_delay: bool = True) -> AbstractContextManager[Server]:
    return orthanc(folder, destinations, no_delay=no_delay, web=ORTHANC_WEB.exists())


# ``-stock``: as they are shipped, Nagle's algorithm on (DCMTK's default), so that each instance may wait for an ACK.
SERVERS: Mapping[str, Managed] = {
    OURS: Managed(filmroom, lambda: True),
    "orthanc": Managed(_orthanc, lambda: shutil.which("Orthanc") is not None),
    "dcmqrscp": Managed(dcmqrscp, lambda: is_installed("dcmqrscp")),
    "pynetdicom": Managed(
        pynetdicom, lambda: find_spec("pynetdicom") is not None and find_spec("sqlalchemy") is not None
    ),
    "orthanc-stock": Managed(partial(_orthanc, no_delay=False), lambda: shutil.which("Orthanc") is not None),
    "dcmqrscp-stock": Managed(
        partial(dcmqrscp, no_delay=False, pdu_bytes=STOCK_PDU_BYTES), lambda: is_installed("dcmqrscp")
    ),
}
USUAL = (OURS, "orthanc", "dcmqrscp")


class Address(Struct, frozen=True):
    """A server that runs already."""

    name: str
    target: Target
    web: Web | None

    @contextmanager
    def start(self, folder: Path, destinations: Destinations) -> Iterator[Server]:
        """It runs; nothing is started, nothing of it is ended."""
        settings = f"by address, {self.target.ae_title}@{self.target.host}:{self.target.port}; its settings are its own"
        yield Server(self.name, self.target, Elsewhere(), settings, 0.0, self.web)


def usual() -> list[str]:
    """Those of the usual servers that are installed."""
    return [name for name in USUAL if SERVERS[name].is_installed()]


def check(names: Sequence[str]) -> None:
    """Raises ValueError for a server that is unknown or not installed."""
    for name in names:
        if name not in SERVERS:
            raise ValueError(f"no server {name!r}: {', '.join(SERVERS)}")
        if not SERVERS[name].is_installed():
            raise ValueError(f"{name} is not installed here")


def address(text: str) -> Address:
    """``name=AET@host:port,url``; the URL, the root of DICOMweb, may be left out. Raises ValueError."""
    name, _, rest = text.partition("=")
    dimse, _, url = rest.partition(",")
    title, _, place = dimse.partition("@")
    host, _, port = place.rpartition(":")
    if not (name and title and host and port.isdigit()):
        raise ValueError(f"{text!r} is not name=AET@host:port,http://host:port/root")
    return Address(name, Target(int(port), title, host.strip("[]")), web(url) if url else None)


def web(url: str) -> Web:
    """The root of a server's DICOMweb. Raises ValueError: the lean client speaks plain HTTP only."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is no http:// URL (the bench's client speaks plain HTTP)")
    return Web(parts.port or 80, parts.path.rstrip("/"), parts.hostname)


def starts(servers: Sequence[str], targets: Sequence[str]) -> dict[str, Start]:
    """By name, in the order in which figures are shown: the first is the one that the others are beside."""
    check(servers)
    found: dict[str, Start] = {name: SERVERS[name].start for name in servers}
    for text in targets:
        one = address(text)
        if one.name in found:
            raise ValueError(f"two targets are named {one.name}")
        found[one.name] = one.start
    return found
