"""Webhooks over real sockets: in order, signed, again and again until taken, from where they were after a restart."""

import errno
import hashlib
import hmac
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trio
import trio.testing

import engine
from engine import Invalid
from filmroom import webhooks
from filmroom.loading import load
from filmroom.settings import WebhookSettings
from tests.filmroom.running import run, start, wait_until
from tests.protocols.web.studies import ROOT, file_of, instance

SECRET = "0123456789abcdef"


class Receiver:
    """Keeps what is posted to it. ``statuses``: answers to give first, before 204."""

    def __init__(self, port: int = 0) -> None:
        self.posted: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.paths: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.paths.append(self.path)
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                if status == 204:
                    receiver.posted.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]

    @property
    def changes(self) -> list[dict[str, Any]]:
        return [change for _, body in list(self.posted) for change in json.loads(body)["changes"]]

    @contextmanager
    def receiving(self) -> Iterator[None]:
        thread = Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def configured(tmp_path: Path, port: int, extra: str = "") -> Path:
    file = tmp_path / "filmroom.toml"
    file.write_text(f"[[webhook]]\nurl = 'http://127.0.0.1:{port}/hook'\nsecret = '{SECRET}'\n{extra}")
    return file


def stored(tmp_path: Path, store: Path, number: int) -> None:
    file = tmp_path / f"{number}.dcm"
    file.write_bytes(file_of(instance(number, PatientName="Doe^Jane")))
    assert run("import", file, "--store", store).returncode == 0


def test_changes_are_posted_in_order_and_signed_and_go_on_after_a_restart(tmp_path: Path) -> None:
    store, receiver = tmp_path / "store", Receiver()
    stored(tmp_path, store, 1)  # before there is a hook: never told
    with receiver.receiving():
        words = ("--config", str(configured(tmp_path, receiver.port)))
        receiver.statuses = [500, 307]
        with start(store, *words) as node:
            stored(tmp_path, store, 2)
            assert run("rm", f"StudyInstanceUID={ROOT}.2", "--yes", "--store", store).returncode == 0
            wait_until(lambda: len(receiver.changes) == 2)
            assert node.stop() == 0
            log = node.log()
        stored(tmp_path, store, 3)  # while no node runs
        with start(store, *words) as node:
            wait_until(lambda: len(receiver.changes) == 3)
            stored(tmp_path, store, 4)
            wait_until(lambda: len(receiver.changes) == 4)
            assert node.stop(signal.SIGKILL) == -signal.SIGKILL
        with start(store, *words) as node:
            stored(tmp_path, store, 5)
            wait_until(lambda: receiver.changes[-1]["study_uid"] == f"{ROOT}.5")
            assert node.stop() == 0
    once = {one["cursor"]: one for one in receiver.changes}  # what was taken as it was killed may come again
    assert [(one["kind"], one["study_uid"]) for one in once.values()] == [
        ("store", f"{ROOT}.2"),
        ("delete", f"{ROOT}.2"),
        ("store", f"{ROOT}.3"),
        ("store", f"{ROOT}.4"),
        ("store", f"{ROOT}.5"),
    ]
    assert set(receiver.paths) == {"/hook"}  # the redirect was not followed
    assert "status 500" in log
    assert "status 307" in log
    assert SECRET not in log
    for headers, body in receiver.posted:
        signed = headers["x-filmroom-timestamp"].encode() + b"." + body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["x-filmroom-signature"] == f"sha256={expected}"
        assert b"Doe" not in body  # H64


def test_a_dead_receiver_stops_nothing_and_is_told_when_it_lives(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with socket.socket() as held:  # nobody listens here, and nobody else may
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with start(store, "--config", str(configured(tmp_path, port, "kinds = ['delete']"))) as node:
            for number in range(1, 4):
                stored(tmp_path, store, number)
                assert run("rm", f"StudyInstanceUID={ROOT}.{number}", "--yes", "--store", store).returncode == 0
            wait_until(lambda: "webhook not taken" in node.log())
            assert node.stop() == 0
    receiver = Receiver(port)
    with receiver.receiving(), start(store, "--config", str(tmp_path / "filmroom.toml")) as node:
        wait_until(lambda: len(receiver.changes) == 3)
        assert node.stop() == 0
    assert [(one["kind"], one["study_uid"]) for one in receiver.changes] == [
        ("delete", f"{ROOT}.{number}") for number in range(1, 4)
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[webhook]]\nurl = 'http://a/'\n", "secret"),
        ("[[webhook]]\nurl = 'http://a/'\nsecret = 'seventeen'\n", "16 characters"),
        ("[[webhook]]\nurl = 'http://a/'\nsecret = 5\n", "16 characters"),
        (f"[[webhook]]\nurl = 'ftp://a/'\nsecret = '{SECRET}'\n", "http or https"),
        (f"[[webhook]]\nurl = 'http://u:p@a/'\nsecret = '{SECRET}'\n", "http or https"),
        (f"[[webhook]]\nsecret = '{SECRET}'\n", "url"),
        (f"[[webhook]]\nurl = 'http://a/'\nsecret = '{SECRET}'\nkinds = ['destroy']\n", "destroy"),
        (f"[[webhook]]\nurl = 'http://a/'\nsecret = '{SECRET}'\nuser = 'x'\n", "user"),
        (f"[webhook]\nurl = 'http://a/'\nsecret = '{SECRET}'\n", "[[webhook]]"),
        (f"[[webhook]]\nurl = 'http://a/'\nsecret = '{SECRET}'\n" * 2, "two webhooks"),
    ],
)
def test_a_wrong_hook_is_refused_without_its_secret(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "filmroom.toml"
    file.write_text(text)
    with pytest.raises(Invalid) as raised:
        load(file, {}, {})
    assert said in str(raised.value)
    assert SECRET not in str(raised.value)
    assert "seventeen" not in str(raised.value)


def test_a_full_disk_ends_no_hook_and_no_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The cursor cannot be kept: what is posted may come twice, and goes on when there is room."""
    monkeypatch.setattr(webhooks, "FIRST_WAIT_SECONDS", 0.01)
    kept: list[bytes] = []
    refusals = [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EMFILE, "Too many open files")]

    def scarce(file: Path, data: bytes) -> None:
        if refusals:
            raise refusals.pop(0)
        kept.append(data)

    monkeypatch.setattr(webhooks, "replace_durably", scarce)

    async def main() -> None:
        async with engine.open("memory://") as archive:
            hook = webhooks.Hook(archive, WebhookSettings(url="http://127.0.0.1:1/", secret=SECRET), tmp_path)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(webhooks.carry_all, [hook])
                with trio.fail_after(20):
                    while not kept:
                        await trio.testing.wait_all_tasks_blocked(0.01)
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert [record.reason for record in caplog.records if record.message == "webhook waits"] == [  # type: ignore[attr-defined]
        "No space left on device",
        "Too many open files",
    ]
