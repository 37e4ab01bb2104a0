"""filmroom conformance as its users call it: exit codes, what it says, and that it leaves nothing behind."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.process import free_port
from tests.filmroom.running import run
from tests.filmroom.test_tls import Dressed, dressed

WHOLE = ("C20", "C01", "C24", "O14", "C48")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dressed]:
    """Ours, with TLS on both ports, that wants a token."""
    with dressed(tmp_path_factory.mktemp("node"), peers="[serve]\ncommitment_wait_seconds = 1") as running:
        yield running


def words(node: Dressed) -> tuple[str, ...]:
    where = f"FILMROOM@localhost:{node.node.dicom_tls_port}"
    url = f"https://localhost:{node.node.http[1]}/dicomweb"
    return ("conformance", "--against", url, "--dimse-tls", where, "--ca", str(node.authority.ca))


def studies(node: Dressed) -> list[object]:
    found = json.loads(run("find", "--json", "--store", node.node.store).stdout or "[]")
    assert isinstance(found, list)
    return found


def test_c20_a_whole_run_over_tls_leaves_nothing(node: Dressed, tmp_path: Path) -> None:
    """The token comes from a file, and is said nowhere."""
    secret = tmp_path / "token"
    secret.write_text(f"{node.token}\n")
    done = run(*words(node), "--dimse", f"FILMROOM@127.0.0.1:{node.node.dicom[1]}", "--json", "--token-file", secret)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert {said["rows"][row] for row in WHOLE} == {"pass"} and said["rows"]["C47"] == "not tried"
    assert said["summary"]["failed"] == 0 and said["summary"]["passed"] > 60
    assert list(said["cannot_be_asked"]) == ["C21"] and said["left"] == []
    assert node.token not in done.stdout + done.stderr
    assert studies(node) == []


def test_what_is_kept_is_said(node: Dressed) -> None:
    done = run(*words(node), "--only", "O14", "--keep", FILMROOM_TOKEN=node.token)
    assert done.returncode == 0 and done.stdout.splitlines()[-1].startswith("rows: 1 pass, 0 fail, 0 not tried")
    mark = re.search(r"left there: 2 studies of patients whose ID holds ([A-Z]{6})", done.stderr)
    assert mark is not None, done.stderr
    assert len(studies(node)) == 2
    removed = run("rm", f"PatientID=OTHER-{mark[1]}", "--yes", "--store", node.node.store)
    assert removed.returncode == 0, removed.stderr


def test_reading_only_writes_nothing(node: Dressed) -> None:
    done = run(*words(node), "--read-only", "--only", "C24,C29,O14", FILMROOM_TOKEN=node.token)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("rows: 1 pass, 0 fail, 2 not tried")
    assert studies(node) == []


def test_another_token_is_not_allowed(node: Dressed) -> None:
    done = run(*words(node), "--only", "C24", FILMROOM_TOKEN="another")
    assert done.returncode == 4 and "401" in done.stderr


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        (("--against", "http://127.0.0.1:{port}/dicomweb"), 3, "does not answer"),
        (("--dimse", "ANY@127.0.0.1:{port}"), 3, "does not answer"),
        (("--only", "C01"), 2, "which server?"),
        (("--only", "C99"), 2, "C99"),
        (("--only", "C21"), 2, "no client can make an instance nearline"),
        (("--dimse", "127.0.0.1:11112"), 2, "is not AET@HOST:PORT"),
        (("--dimse", "ANY@127.0.0.1:{port}", "--calling", "A_TITLE_TOO_LONG_"), 2, "is no AE title"),
        (("--against", "http://192.0.2.1/dicomweb"), 2, "say --yes"),
    ],
)
def test_what_cannot_be_done_is_said(said: tuple[str, ...], code: int, why: str) -> None:
    done = run("conformance", *(word.format(port=free_port()) for word in said))
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert why in done.stderr and "Traceback" not in done.stderr


def test_a_failing_row_is_exit_1_with_its_reason() -> None:
    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run("conformance", "--against", f"http://127.0.0.1:{server.server_port}/x", "--only", "C24")
        server.shutdown()
    assert done.returncode == 1
    assert done.stdout.startswith("fail ") and ": 404 where 200 or 204 is expected" in done.stdout


def test_all_that_would_be_asked_is_listed() -> None:
    done = run("conformance", "--list")
    assert done.returncode == 0
    rows = {row for line in done.stdout.splitlines() for row in re.findall(r"\b[COB]\d\d\b", line.split("\t")[0])}
    assert len(rows) == 50 + 16 + 8
