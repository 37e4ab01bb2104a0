"""A command that is interrupted: what it had asked for ends with it, and the node lives."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.filmroom.running import COMMAND, ENVIRONMENT, Node, run, start

OPERATIONS = {
    "find": {"words": ["level=instance"], "limit": None, "sort": []},
    "import": {"paths": ["IMAGES", "IMAGES/gone"]},
    "export": {"words": [], "folder": "OUT"},
    "verify": {"deep": True},
    "reindex": {},
    "status": {},
    "doctor": {"version": "another"},
    "aet ls": {},
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Node]:
    store = tmp_path_factory.mktemp("interrupted") / "store"
    with start(store) as node:
        assert run("import", images, "--store", store).returncode == 0
        yield node


@pytest.mark.parametrize("answer_bytes", [0, 1])
@pytest.mark.parametrize("do", OPERATIONS)
def test_the_node_outlives_a_command_that_is_killed(
    served: Node, images: Path, tmp_path: Path, do: str, answer_bytes: int
) -> None:
    """Killed before the first and within the answer."""
    (tmp_path / "gone").symlink_to("nowhere")
    places = {"IMAGES": str(images), "IMAGES/gone": str(tmp_path / "gone"), "OUT": str(tmp_path / "out")}
    request = json.loads(json.dumps({"do": do, "with": OPERATIONS[do]}))
    for name, value in request["with"].items():
        if isinstance(value, list):
            request["with"][name] = [places.get(one, one) for one in value]
        elif isinstance(value, str):
            request["with"][name] = places.get(value, value)
    with socket.socket(socket.AF_UNIX) as client:
        folder = os.open(served.store / "node", os.O_PATH)
        client.connect(f"/proc/self/fd/{folder}/control.sock")
        os.close(folder)
        client.sendall(json.dumps(request).encode() + b"\n")
        assert len(client.recv(answer_bytes)) == answer_bytes
    done = run("status", "--json", "--store", served.store)
    assert served.process.poll() is None
    assert json.loads(done.stdout)["instance_count"] == 12, done.stderr


@pytest.mark.parametrize("beside_a_node", [True, False])
def test_an_import_that_is_interrupted_says_how_far_it_came(tmp_path: Path, images: Path, beside_a_node: bool) -> None:
    """Ctrl-C at the first bad file, before which thousands of others are still to come."""
    store = tmp_path / "store"
    if beside_a_node:
        with start(store) as node:
            interrupt_an_import(store, images, tmp_path)
            assert node.process.poll() is None
            assert run("status", "--store", store).returncode == 0
    else:
        interrupt_an_import(store, images, tmp_path)
    assert run("import", images, "--store", store).returncode == 0


def interrupt_an_import(store: Path, images: Path, folder: Path) -> None:
    command = [*COMMAND, "import", str(folder / "gone"), *[str(images)] * 2000, "--store", str(store)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as importing:
        assert importing.stderr is not None
        assert "gone" in importing.stderr.readline()
        importing.send_signal(signal.SIGINT)
        said = importing.stderr.read()
        assert importing.wait(60) == 130, said
    assert "run it again to go on" in said and "Traceback" not in said
