"""Every link of an answer leads somewhere: behind a proxy that serves us below a path, and with one and the same token
(B06, C34, C50)."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from protocols.web import Holder, Lock, WebSettings
from tests.protocols.web.answers import with_pixels
from tests.protocols.web.multiparts import body_of, content_type
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ROOT, file_of, instance
from tests.protocols.web.test_ohif import coloured

PREFIX = "/pacs/x-ray"
TOKEN = {"Authorization": "Bearer good"}
LOCK = Lock({"good": Holder("viewer", frozenset({"read", "write"}))}.get)
PASSED = ("Authorization", "Accept", "Content-Type", "Content-Length")


class Proxy:
    """Answers below ``PREFIX`` with what the node answers without it; elsewhere there is nothing."""

    def __init__(self) -> None:
        self.node_port = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if not self.path.startswith(f"{PREFIX}/"):
                    self.send_error(404)
                    return
                headers = {name: self.headers[name] for name in PASSED if name in self.headers}
                headers |= {"X-Forwarded-Host": self.headers["Host"], "X-Forwarded-Prefix": PREFIX}
                node = http.client.HTTPConnection("127.0.0.1", proxy.node_port, timeout=30)
                node.request(self.command, self.path.removeprefix(PREFIX), body or None, headers)
                answer = node.getresponse()
                data = answer.read()
                node.close()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{PREFIX}"

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = Thread(target=self.server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()


def links(said: Any) -> set[str]:
    """Every URL of a DICOM JSON answer: Retrieve URLs and links to bulk data."""
    if isinstance(said, list):
        return set().union(*map(links, said))
    if not isinstance(said, dict):
        return set()
    own = {said["BulkDataURI"]} if "BulkDataURI" in said else set()
    own |= set(said["Value"]) if said.get("vr") == "UR" else set()
    return own.union(*map(links, said.values()))


@pytest.mark.parametrize("is_told", [True, False], ids=["public_url", "forwarded headers"])
def test_b06_c34_c50_every_link_leads_there_through_the_proxy_with_the_same_token(*, is_told: bool) -> None:
    proxy = Proxy()
    settings = WebSettings(public_url=proxy.url) if is_told else WebSettings(trusted_proxies=("127.0.0.1",))
    plain = with_pixels(instance(2), bytes(4096), rows=64, columns=64, bits=8)

    async def check(served: Served) -> None:
        proxy.node_port = served.port
        async with httpx.AsyncClient(headers=TOKEN, trust_env=False, timeout=30) as client:
            base = f"{proxy.url}/dicomweb"
            found: set[str] = set()
            paths = ("studies", "series", "instances", f"studies/{ROOT}.1/series", f"studies/{ROOT}.1/metadata")
            for path in paths:
                answer = await client.get(f"{base}/{path}", headers={"Accept": "application/dicom+json"})
                assert answer.status_code == 200, path
                found |= links(answer.json())
            stored = await client.post(f"{base}/studies", content=body_of(file_of(plain)), headers=content_type())
            assert stored.status_code == 200
            found |= links(stored.json())
            assert sum("/bulkdata/" in one for one in found) == 3  # pixels, profile, waveform
            assert {
                f"{base}/studies/{ROOT}.1",
                f"{base}/studies/{ROOT}.2/series/{ROOT}.2.1/instances/{ROOT}.2.1.1",
            } <= found
            for one in found:
                assert one.startswith(f"{base}/")
                answer = await client.get(one)
                assert answer.status_code == 200 and answer.content, one
                assert (await httpx.AsyncClient(trust_env=False).get(one)).status_code == 401, one

    with proxy.running():
        serving(check, file_of(coloured()), settings=settings, guard=LOCK)
