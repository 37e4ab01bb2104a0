"""Each command as a subprocess, beside a running node and without one."""

import json
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.filmroom.running import Node, run, start


def test_help_names_the_commands_and_wrong_words_are_usage() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(
        word in done.stdout
        for word in ("serve", "import", "export", "find", "verify", "reindex", "status", "aet", "demo")
    )
    unknown = run("fnid")
    assert unknown.returncode == 2 and "filmroom --help" in unknown.stderr
    assert run("find", "--no-such-flag").returncode == 2


def test_config(tmp_path: Path) -> None:
    done = run("config", "show", folder=tmp_path, FILMROOM_SERVE_HTTP_PORT="9090")
    assert "serve.http_port\t9090\tenv FILMROOM_SERVE_HTTP_PORT" in done.stdout
    assert "serve.dimse_port\t11112\tdefault" in done.stdout
    assert "serve.trusted_proxies\t[]\tdefault" in done.stdout
    assert "serve.check_called_ae_title\tfalse\tdefault" in done.stdout
    assert "dimse_port" in json.loads(run("config", "schema").stdout)["$defs"]["ServeSettings"]["properties"]
    (tmp_path / "filmroom.toml").write_text("[serve]\nnope = 1\n")
    done = run("config", "show", folder=tmp_path)
    assert done.returncode == 2
    assert "filmroom.toml" in done.stderr and "nope" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("served", [False, True])
def test_a_day_of_an_archive(tmp_path: Path, images: Path, served: bool) -> None:
    """import, import again, find, export, verify, reindex, status: the same with and without a running node."""
    store = tmp_path / "store"
    if served:
        with start(store):
            a_day(store, images, tmp_path / "out")
    else:
        a_day(store, images, tmp_path / "out")


def a_day(store: Path, images: Path, out: Path) -> None:
    at = ("--store", store)
    done = run("import", images, "--json", *at)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["new"] == 12
    again = json.loads(run("import", images, "--json", *at).stdout)
    assert (again["new"], again["same"], again["bad_files"]) == (0, 12, [])
    rows = json.loads(run("find", "--json", *at).stdout)
    assert len(rows) == 2
    uid = rows[0]["StudyInstanceUID"]
    assert run("find", "level=series", f"StudyInstanceUID={uid}", "--uids", *at).stdout.count("\n") == 2
    done = run("export", f"StudyInstanceUID={uid}", out, "--json", *at)
    assert json.loads(done.stdout)["files"] == 6, done.stderr
    sent = {path.name: path.read_bytes() for path in images.iterdir()}
    for path in out.rglob("*.dcm"):
        body = path.read_bytes()
        assert body[128:132] == b"DICM"
        assert body[-2000:] == sent[path.name][-2000:]
    assert run("find", "PatientID", *at).returncode == 2
    assert run("verify", *at).returncode == 0
    assert json.loads(run("reindex", "--json", *at).stdout)["records"] >= 12
    assert len(json.loads(run("find", "--json", *at).stdout)) == 2
    assert json.loads(run("status", "--json", *at).stdout)["instance_count"] == 12


def test_bad_files_are_named_with_reasons(tmp_path: Path, images: Path) -> None:
    whole = next(images.iterdir()).read_bytes()
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "good.dcm").write_bytes(whole)
    (folder / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no image")
    done = run("import", folder, tmp_path / "gone", "--json", "--store", tmp_path / "store")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert (report["new"], report["bad"], report["skipped"]) == (1, 2, 1)
    assert {Path(bad["file"]).name for bad in report["bad_files"]} == {"cut.dcm", "gone"}
    assert all(bad["reason"] for bad in report["bad_files"])


def test_peers_are_known_and_forgotten(node: Node) -> None:
    at = ("--store", node.store)
    assert run("aet", "add", "WS1", "127.0.0.1:1", *at).returncode == 0
    (told,) = json.loads(run("aet", "ls", "--json", *at).stdout)
    assert told == {
        "ae_title": "WS1",
        "host": "127.0.0.1",
        "port": 1,
        "origin": "added",
        "character_set": "",
        "tls": False,
        "tls_ca": "",
        "tls_name": "",
    }
    assert run("aet", "add", "WS1", "127.0.0.1:1", "--character-set", "ISO_IR 100", *at).returncode == 0
    assert json.loads(run("aet", "ls", "--json", *at).stdout)[0]["character_set"] == "ISO_IR 100"
    refused = run("aet", "add", "WS1", "127.0.0.1:1", "--character-set", "latin1", *at)
    assert refused.returncode == 2 and "character_set" in refused.stderr
    assert run("aet", "test", "WS1", *at).returncode == 1
    assert run("aet", "add", "SELF", f"127.0.0.1:{node.dicom[1]}", *at).returncode == 0
    assert run("aet", "test", "SELF", *at).returncode == 0
    assert node.stop() == 0
    assert "WS1" in run("aet", "ls", *at).stdout
    assert run("aet", "rm", "WS1", *at).returncode == 0
    assert run("aet", "rm", "WS1", *at).returncode == 1
    assert run("aet", "add", "WS1", "nowhere", *at).returncode == 2


def test_health_and_page(node: Node) -> None:
    base = f"http://{node.http[0]}:{node.http[1]}"
    for path in ("/health/live", "/health/ready", "/"):
        with urllib.request.urlopen(base + path, timeout=20) as answer:
            assert answer.status == 200
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(base + "/nothing", timeout=20)
    assert refused.value.code == 404
    assert "a page at /, DICOMweb at /dicomweb" in json.load(refused.value)["detail"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(node: Node, how: signal.Signals) -> None:
    assert node.lines[-1].startswith("ready ")
    assert node.stop(how) == 0
    assert not (node.store / "node" / "control.sock").exists()


def test_a_second_node_on_the_same_folder_says_so(node: Node) -> None:
    done = run("serve", node.store, "--dimse-port", "0", "--http-port", "0")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"filmroom status --store {node.store}" in done.stderr


@pytest.mark.parametrize("flag", ["--dimse-port", "--http-port"])
def test_a_taken_port_is_one_clear_line(tmp_path: Path, flag: str) -> None:
    other = "--http-port" if flag == "--dimse-port" else "--dimse-port"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", tmp_path / "store", flag, port, other, "0")
    assert done.returncode == 3
    assert port in done.stderr.splitlines()[-1] and flag in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_bucket_that_does_not_answer_cannot_be_reached(tmp_path: Path) -> None:
    environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = run("status", "--store", "s3://bucket/prefix", folder=tmp_path, **environment)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert run("status", "--store", "ftp://bucket/prefix", folder=tmp_path).returncode == 2


def test_demo_checks_itself() -> None:
    done = run("demo", "--check")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("ready dicom=")
