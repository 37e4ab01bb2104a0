"""The viewer in other places: on another origin than the archive, below a proxy's path, before an archive that wants
tokens."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import BrowserContext

from filmroom.viewer import package
from protocols.web.viewer.installed import CONFIG
from tests.browser import documents, pictures
from tests.browser.window import Window
from tests.filmroom.running import Node, run, start
from tests.protocols.web.studies import ROOT, file_of

PREFIX = "/hospital/archive"


class Server(http.server.ThreadingHTTPServer):
    """A server of files, or a proxy, of somebody else."""

    daemon_threads = True
    request_queue_size = 128


class Files(http.server.SimpleHTTPRequestHandler):
    """Static files below a folder; what has no ending is the page."""

    settings = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/app-config.js":
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript")
            self.end_headers()
            self.wfile.write(self.settings.encode())
            return
        if "." not in path:
            self.path = "/index.html"
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Proxy(http.server.BaseHTTPRequestHandler):
    """What comes below PREFIX goes on to the archive without it, as nginx does."""

    target = ""

    def do_GET(self) -> None:
        assert self.path.startswith(PREFIX), self.path
        passed = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        answer = httpx.get(self.target + self.path.removeprefix(PREFIX), headers=passed, follow_redirects=False)
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name not in ("transfer-encoding", "content-length", "content-encoding", "connection", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def served(handler: Any) -> Iterator[str]:
    """Its origin."""
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def files(folder: Path, name: str, store: Path) -> None:
    """A store with a chest and a report."""
    (folder / name).mkdir()
    for at, made in enumerate((*pictures.ct_study(1), documents.report(4))):
        (folder / name / f"{at}.dcm").write_bytes(file_of(made))
    assert run("import", folder / name, "--store", store).returncode == 0


def test_o15_from_another_origin(context: BrowserContext, archive: Node, viewer_data: Path) -> None:
    """`serve.cors_origins` is all that it needs. Quotes in Accept make the browser ask before it asks (a preflight)."""
    ours = f"http://{archive.http[0]}:{archive.http[1]}"
    settings = CONFIG.read_text().replace("new URL('../dicomweb', base).href", f"'{ours}/dicomweb'")
    settings = settings.replace("omitQuotationForMultipartRequest: true", "omitQuotationForMultipartRequest: false")
    assert f"'{ours}/dicomweb'" in settings and "Request: false" in settings
    folder = viewer_data / "filmroom" / "ohif" / package.place().name
    handler = type("Elsewhere", (Files,), {"settings": settings})
    with served(partial(handler, directory=str(folder))) as origin:
        window = Window(context.new_page(), f"{origin}/")
        preflights: list[str] = []
        session = context.new_cdp_session(window.page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", lambda event: note(event, preflights))
        window.open_study(f"{ROOT}.1")
        window.slice_shown(9)
        frames = [one for one in window.asked("/frames/1") if one.origin == ours]
        assert frames and {one.headers["access-control-allow-origin"] for one in frames} <= {"*", origin}
        assert '"application/octet-stream"' in frames[0].accept
        window.until(lambda: [path for path in preflights if path.endswith("/frames/1")], "preflights")
        window.open(f"viewer?StudyInstanceUIDs={ROOT}.4")  # an element, which names no origin
        window.until(lambda: red_of(window) > 0.03, "the red field of the report")
        window.page.close()
        assert not window.complaints


def note(event: dict[str, Any], preflights: list[str]) -> None:
    if event["request"]["method"] == "OPTIONS":
        preflights.append(event["request"]["url"])


def red_of(window: Window) -> float:
    """How much of what is shown is the red of the report."""
    shown = window.picture()
    return float(((shown[..., 0] > 240) & (shown[..., 1] < 20) & (shown[..., 2] < 20)).mean())


def test_b06_below_the_path_of_a_proxy(context: BrowserContext, viewer_data: Path, tmp_path: Path) -> None:
    """The proxy takes its path away; `serve.public_url` says what it is."""
    files(tmp_path, "files", tmp_path / "store")
    handler = type("Before", (Proxy,), {})
    with served(handler) as origin:
        environment = {"XDG_DATA_HOME": str(viewer_data), "FILMROOM_SERVE_PUBLIC_URL": origin + PREFIX}
        with start(tmp_path / "store", **environment) as node:
            handler.target = f"http://{node.http[0]}:{node.http[1]}"  # type: ignore[attr-defined]
            window = Window(context.new_page(), f"{origin}{PREFIX}/ohif")
            window.open("")
            window.page.get_by_role("row").filter(has_text="Doe, Jane").last.dblclick()
            assert f"{origin}{PREFIX}/ohif/viewer" in window.page.url
            window.slice_shown(9)
            window.open(f"/viewer/filmroom?StudyInstanceUIDs={ROOT}.4")
            window.until(lambda: red_of(window) > 0.03, "the red field of the report")
            window.page.close()
            assert not window.complaints


def test_an_archive_that_wants_tokens(context: BrowserContext, viewer_data: Path, tmp_path: Path) -> None:
    """The viewer asks for one, or takes it from behind '#' in the link, and shows it with every request."""
    files(tmp_path, "files", tmp_path / "store")
    token = run("token", "new", "viewer", "--store", tmp_path / "store").stdout.strip()
    environment = {"XDG_DATA_HOME": str(viewer_data), "FILMROOM_SERVE_TOKENS": "required"}
    with start(tmp_path / "store", **environment) as node:
        base = f"http://{node.http[0]}:{node.http[1]}/ohif/"
        asked = Window(context.new_page(), base)
        asked.page.on("dialog", lambda dialog: dialog.accept(token))
        asked.open("")
        asked.page.get_by_role("row").filter(has_text="Doe, Jane").first.wait_for()
        assert 401 in {one.status for one in asked.answers}
        asked.page.close()

        window = Window(context.new_page(), base)
        window.page.on("dialog", lambda dialog: window.complaints.append("it asked again"))
        window.open(f"viewer?StudyInstanceUIDs={ROOT}.1#token={token}")
        assert token not in window.page.url
        window.slice_shown(9)
        window.open(f"viewer?StudyInstanceUIDs={ROOT}.4")
        window.until(lambda: red_of(window) > 0.03, "the red field of the report")
        assert {one.status for one in window.answers} <= {200, 304}
        window.page.close()
        assert not window.complaints
        assert token not in node.log()
