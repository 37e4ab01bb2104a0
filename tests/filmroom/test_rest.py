"""A node as users start it does over REST what its commands do: peers, sending, verifying, figures."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.process import free_port
from tests.certificates import Authority
from tests.filmroom.running import Node, run, start, wait_until
from tests.protocols.web.studies import ROOT, file_of, instance


@contextmanager
def rest_of(node: Node) -> Iterator[httpx.Client]:
    base = f"http://{node.http[0]}:{node.http[1]}/api/v1"
    with httpx.Client(base_url=base, timeout=30, trust_env=False) as client:
        yield client


def ended(client: httpx.Client, job: str) -> Any:
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(client.get(job).json())
        return found["state"] != "running"

    wait_until(look)
    return found


def test_a_peer_is_added_and_sent_to(tmp_path: Path) -> None:
    received = tmp_path / "received"
    received.mkdir()
    files = [tmp_path / f"{number}.dcm" for number in (1, 2)]
    for number, file in enumerate(files, 1):
        file.write_bytes(file_of(instance(3, 1, number, PatientName="Doe^Jane")))
    assert run("import", *files, "--store", tmp_path / "store").returncode == 0
    port = free_port()
    scp = subprocess.Popen(["/usr/bin/storescp", "-aet", "WS1", "-od", received, str(port)])
    try:
        with start(tmp_path / "store") as node, rest_of(node) as client:
            send = {"do": "send", "query": {"StudyInstanceUID": f"{ROOT}.3"}, "destination": "WS1"}
            assert client.post("/jobs", json=send).status_code == 400
            peer = {"ae_title": "WS1", "host": "127.0.0.1", "port": port}
            assert client.post("/peers", json=peer | {"port": 0}).status_code == 400
            assert client.post("/peers", json=peer).json()["origin"] == "added"
            sealed = peer | {"ae_title": "WS2", "tls": True, "tls_ca": str(Authority(tmp_path).ca)}
            assert client.post("/peers", json=sealed).json()["tls_ca"] == sealed["tls_ca"]
            assert client.post("/peers", json=sealed | {"tls_ca": str(files[0])}).status_code == 400
            assert client.delete("/peers/WS2").status_code == 204
            wait_until(lambda: client.post("/peers/WS1/echo").json() == {"answered": True, "reason": ""})
            answer = client.post("/jobs", json=send)
            assert answer.status_code == 202
            done = ended(client, answer.headers["location"].removeprefix("/api/v1"))
            assert (done["state"], done["counts"]["sent"], done["counts"]["failed"]) == ("done", 2, 0)
            assert len(list(received.iterdir())) == 2
            assert client.get("/status").json()["instance_count"] == 2
            checked = ended(client, "/jobs/" + client.post("/jobs", json={"do": "verify"}).json()["id"])
            assert (checked["state"], checked["counts"]["objects"], checked["findings"]) == ("done", 2, [])
            folded = ended(client, "/jobs/" + client.post("/jobs", json={"do": "reindex"}).json()["id"])
            assert (folded["state"], folded["counts"]["records"]) == ("done", 2)
            scp.kill()
            scp.wait()
            failed = ended(client, "/jobs/" + client.post("/jobs", json=send).json()["id"])
            assert failed["state"] == "failed"
            assert "nothing was sent" in failed["reason"]
            assert node.stop() == 0
            assert "Doe" not in node.log()  # H64
        with start(tmp_path / "store") as node, rest_of(node) as client:
            assert [one["ae_title"] for one in client.get("/peers").json()["peers"]] == ["WS1"]
            assert client.get("/jobs").json() == {"jobs": []}
            assert client.delete("/peers/WS1").status_code == 204
            assert node.stop() == 0
    finally:
        scp.kill()
        scp.wait()
