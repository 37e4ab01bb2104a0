"""The command on a bucket of a real S3 service: served, found, fetched; killed while the bucket is away."""

import json
import signal
import urllib.request
from pathlib import Path

from bench.distance import Distance
from bench.seaweed import KEYS, Bucket
from tests.filmroom.running import Node, run, start
from tests.filmroom.test_dcmtk import at, dcmtk, pytestmark

__all__ = ["pytestmark"]


def found(node: Node) -> set[str]:
    """SOP Instance UIDs that QIDO-RS finds."""
    url = f"http://{node.http[0]}:{node.http[1]}/dicomweb/instances"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return {row["00080018"]["Value"][0] for row in json.load(answer)}


def test_what_a_killed_node_has_acknowledged_while_the_bucket_was_away_is_found_and_fetched(
    service: Bucket, tmp_path: Path, images: Path
) -> None:
    uids = {path.stem for path in images.iterdir()}
    with Distance(service.endpoint) as way:
        environment = {
            **KEYS,
            "AWS_REGION": service.region,
            "AWS_ENDPOINT_URL": way.endpoint,
            "FILMROOM_STORE_NODE_DIR": str(tmp_path / "node"),
        }
        archive = f"{service.url}/killed"
        with start(tmp_path / "one", url=archive, **environment) as node:
            way.cut()
            assert dcmtk("storescu", "+sd", *at(node), images).returncode == 0
            assert found(node) == uids
            node.process.send_signal(signal.SIGKILL)
            node.process.wait()
        way.restore()
        with start(tmp_path / "two", url=archive, **environment) as node:
            assert found(node) == uids
            assert node.stop() == 0
        environment["FILMROOM_STORE_NODE_DIR"] = str(tmp_path / "another machine")
        exported = run("export", "PatientID=*", tmp_path / "out", "--store", archive, **environment)
        assert exported.returncode == 0, exported.stderr
        assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == len(uids)
        assert run("verify", "--deep", "--store", archive, **environment).returncode == 0
