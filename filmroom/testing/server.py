"""A node in a process of its own, on free ports of this machine, that never outlives who started it."""

import http.client
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec

from engine import Invalid, Unavailable
from engine.clock import Clock
from filmroom import datasets
from filmroom.testing.node import Asked, Ready

if TYPE_CHECKING:
    from pydicom import Dataset

HOUSE: Final = str(Path(__file__).resolve().parents[2])
_START: Final = "import sys; sys.path.append(sys.argv[1]); from filmroom.testing.node import main; main(sys.argv[2])"
ANSWER_SECONDS_MAX, STOP_SECONDS_MAX, CUT_SECONDS = 30.0, 10.0, 2.0
LOG_LINES_MAX = 1000


class Server:
    """A running node. ``host``, ``dimse_port``, ``http_port``, ``ae_title``, ``pid``: where and what it is."""

    def __init__(self, process: "subprocess.Popen[str]", ae_title: str, where: Ready, log: "deque[str]") -> None:
        self.ae_title = ae_title
        self.host, _, dimse_port = where.dicom.rpartition(":")
        self.dimse_port, self.http_port = int(dimse_port), int(where.http.rpartition(":")[2])
        self.pid = process.pid
        self._log = log

    def __repr__(self) -> str:
        return f"<filmroom.testing.Server {self.ae_title}@{self.host}:{self.dimse_port} {self.url}>"

    @property
    def url(self) -> str:
        """``http://HOST:PORT``."""
        return f"http://{self.host}:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """The root of DICOMweb."""
        return f"{self.url}/dicomweb"

    def store(self, source: "bytes | str | Path | Dataset") -> None:
        """Keep one file (its bytes, its path) or data set: queries find it when this returns. Raises Invalid when the
        node does not keep it."""
        given = datasets.source_of(source)
        file = given.read_bytes() if isinstance(given, Path) else bytes(given)
        headers = {"Content-Type": "application/dicom", "Accept": "application/dicom+json"}
        status, answer = self.request("POST", "/dicomweb/studies", file, headers)
        if status not in (200, 202):
            raise Invalid(f"the node did not keep it: {status} {answer.decode('utf-8', 'replace')}")

    def find(self, level: str = "study", **keys: object) -> "list[Dataset]":
        """Matches of a level (study, series, instance), keyword = value, as QIDO-RS answers them. Raises Invalid."""
        from pydicom import Dataset

        rooms = {"study": "studies", "series": "series", "instance": "instances"}
        path = f"/dicomweb/{rooms.get(level, level)}?{urlencode(keys)}"
        status, answer = self.request("GET", path, headers={"Accept": "application/dicom+json"})
        if status not in (200, 204):
            raise Invalid(f"the node does not answer that: {status} {answer.decode('utf-8', 'replace')}")
        return [Dataset.from_json(one) for one in msgspec.json.decode(answer or b"[]")]

    def wait(self, count: int = 1, *, seconds_max: float = 10.0, **keys: object) -> "list[Dataset]":
        """The instances that match, as ``find`` has them, once there are ``count`` of them: for what another program
        sends meanwhile. Raises TimeoutError, which says how many there are."""
        deadline = Clock().monotonic() + seconds_max
        cursor = self._changes("now", 0)
        while len(found := self.find("instance", **keys)) < count:
            seconds = deadline - Clock().monotonic()
            if seconds <= 0:
                raise TimeoutError(f"{len(found)} of {count} instances came within {seconds_max:g} s")
            cursor = self._changes(cursor, max(1, round(seconds)))
        return found

    def log(self) -> str:
        """The last lines that it logged."""
        return "".join(self._log.copy())

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one HTTP request. Raises Unavailable when the node does not answer."""
        connection = http.client.HTTPConnection(self.host, self.http_port, timeout=ANSWER_SECONDS_MAX)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the node at {self.url} does not answer: {error}") from error
        finally:
            connection.close()

    def _changes(self, after: str, wait_seconds: int) -> str:
        query = urlencode({"after": after, "wait": min(wait_seconds, int(ANSWER_SECONDS_MAX) - 1)})
        _, answer = self.request("GET", f"/api/v1/changes?{query}")
        return str(msgspec.json.decode(answer)["cursor"])


@contextmanager
def server(
    folder: str | Path | None = None,
    *,
    ae_title: str = "FILMROOM",
    peers: Mapping[str, tuple[str, int]] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Server]:
    """A node on free ports of 127.0.0.1, which ends with the block: or with this process, however that ends.

    ``folder``: an archive to serve, instead of an empty one in memory. ``peers``: AE title to (host, port), whom
    C-MOVE may send to. ``settings``: others, as in filmroom.toml: ``{"serve.cors_origins": ["*"]}``. Environment and
    filmroom.toml say nothing here. Raises Unavailable, with its log, when it does not start.
    """
    store = "memory://" if folder is None else str(Path(folder).resolve())
    ports = {"serve.dimse_port": 0, "serve.http_port": 0}
    flags = {"serve.ae_title": ae_title, "serve.log_format": "text", "store.url": store, **ports}
    known: list[dict[str, object]] = [
        {"ae_title": title, "host": host, "port": port} for title, (host, port) in (peers or {}).items()
    ]
    asked = Asked({**flags, **(settings or {})}, known, os.getpid())
    # -P: the working directory says nothing of what is imported. A group of its own: Ctrl-C is for the tests, whose
    # fixtures still need the node when they end.
    command = [sys.executable, "-P", "-c", _START, HOUSE, msgspec.json.encode(asked).decode()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, process_group=0) as process:
        try:
            yield _started(process, ae_title)
        finally:
            _stop(process)


def _started(process: "subprocess.Popen[str]", ae_title: str) -> Server:
    assert process.stdout is not None and process.stderr is not None
    log: deque[str] = deque(maxlen=LOG_LINES_MAX)
    listening = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    listening.start()
    late = threading.Timer(ANSWER_SECONDS_MAX, process.kill)
    late.start()
    line = process.stdout.readline()
    late.cancel()
    if not line:
        listening.join(STOP_SECONDS_MAX)
        raise Unavailable("the node did not start:\n" + "".join(log))
    return Server(process, ae_title, msgspec.json.decode(line, type=Ready), log)


def _stop(process: "subprocess.Popen[str]") -> None:
    """In order; what clients hold up is cut."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(CUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
