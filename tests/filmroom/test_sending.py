"""filmroom send to real peers, beside a running node and without one: all of it, or each that was not sent and why."""

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from bench.process import free_port
from native import dataset
from tests.filmroom.capture import Capture
from tests.filmroom.datasets import CT, EXPLICIT, IMPLICIT, Named
from tests.filmroom.running import COMMAND, ENVIRONMENT, run, start, wait_until
from tests.filmroom.test_damaged import flip

EVERYTHING = "StudyInstanceUID=*"
BESIDE_A_NODE = pytest.mark.parametrize("beside_a_node", [True, False])


@pytest.fixture
def kept(tmp_path: Path, images: Path) -> Path:
    """A store with twelve CT of two studies."""
    store = tmp_path / "store"
    assert run("import", images, "--store", store).returncode == 0
    return store


@contextmanager
def storescp(folder: Path, *words: str) -> Iterator[int]:
    """DCMTK's; its port."""
    folder.mkdir()
    port = free_port()
    with subprocess.Popen(["/usr/bin/storescp", "-od", folder, *words, str(port)], stderr=subprocess.DEVNULL) as peer:
        wait_until(lambda: reachable(port))
        yield port
        peer.kill()


def reachable(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def known(store: Path, port: int, title: str = "WS1") -> None:
    assert run("aet", "add", title, f"127.0.0.1:{port}", "--store", store).returncode == 0


def sent(store: Path, *words: str, code: int = 0) -> dict[str, Any]:
    done = run("send", *(words or (EVERYTHING,)), "WS1", "--json", "--store", store)
    assert done.returncode == code, done.stderr
    return dict(json.loads(done.stdout))


def datasets(folder: Path) -> list[bytes]:
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return sorted(raw[dataset.describe(raw).dataset_offset :] for raw in files)


@BESIDE_A_NODE
def test_storescp_gets_every_byte(tmp_path: Path, kept: Path, images: Path, beside_a_node: bool) -> None:
    with (
        storescp(tmp_path / "received", "+B") as port,
        start(kept, "--peer", f"WS1=127.0.0.1:{port}") if beside_a_node else nullcontext(),
    ):
        if not beside_a_node:
            known(kept, port)
        done = run("send", EVERYTHING, "WS1", "--store", kept)
        assert (done.returncode, done.stdout, done.stderr) == (0, "12 of 12 instances sent to WS1\n", "")
    assert datasets(tmp_path / "received") == datasets(images)


def test_a_query_chooses_what_is_sent(kept: Path) -> None:
    study, _ = json.loads(run("find", "--json", "--store", kept).stdout)
    with Capture(ae_title="WS1") as peer:
        known(kept, peer.port)
        counts = sent(kept, f"StudyInstanceUID={study['StudyInstanceUID']}")
        arrived = peer.take()
        nothing = sent(kept, "PatientID=NOBODY", code=1)
    assert counts == {"matched": 6, "sent": 6, "warned": 0, "failed": 0, "failures": []}
    assert nothing == {"matched": 0, "sent": 0, "warned": 0, "failed": 0, "failures": []}
    assert len({one.sop_instance for one in arrived}) == 6
    assert {one.originator for one in arrived} == {""}, "no C-MOVE asked for it"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((EVERYTHING, "WS9"), "filmroom aet add WS9 HOST:PORT --store"),
        ((EVERYTHING, "WS9@10.0.0.5:104"), "filmroom aet add WS9 10.0.0.5:104 --store"),
        ((EVERYTHING, "http://127.0.0.1/dicomweb"), "not there yet"),
        ((EVERYTHING,), "send where to?"),
        (("WS9",), "send what?"),
        (("PatientIDs=1", "WS1"), "PatientIDs"),
    ],
)
def test_what_cannot_be_meant_is_said(kept: Path, words: tuple[str, ...], said: str) -> None:
    known(kept, 1)
    done = run("send", *words, "--store", kept)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1


@BESIDE_A_NODE
def test_a_peer_that_is_down_or_refuses_is_exit_3(tmp_path: Path, kept: Path, beside_a_node: bool) -> None:
    with storescp(tmp_path / "received", "--refuse") as port, start(kept) if beside_a_node else nullcontext():
        known(kept, 1)
        down = run("send", EVERYTHING, "WS1", "--store", kept)
        known(kept, port)
        refused = run("send", EVERYTHING, "WS1", "--store", kept)
    assert (down.returncode, refused.returncode) == (3, 3)
    assert down.stderr == "filmroom: WS1 at 127.0.0.1:1: the peer cannot be reached; nothing was sent\n"
    assert "rejected 1/1/" in refused.stderr and "nothing was sent" in refused.stderr


def test_a_peer_that_dies_midway_leaves_the_rest_named(tmp_path: Path, kept: Path) -> None:
    """storescp is killed when it has answered for the third."""
    received = tmp_path / "received"
    kill = f"test $(ls {received} | wc -l) -lt 3 || kill -9 $PPID"
    with storescp(received, "--exec-sync", "--exec-on-reception", kill) as port:
        known(kept, port)
        counts = sent(kept, code=1)
    there = {dataset.describe(path.read_bytes()).sop_instance_uid for path in received.iterdir()}
    failed = {one["sop_instance_uid"] for one in counts["failures"]}
    assert (counts["matched"], counts["sent"], counts["failed"], len(failed)) == (12, 3, 9, 9)
    assert len(there) == 3 and not there & failed
    assert all("connection" in one["reason"] for one in counts["failures"]), counts["failures"]


@pytest.mark.parametrize(
    ("status", "code", "counts"), [(0xB000, 0, (0, 12, 0)), (0xA700, 1, (0, 0, 12)), (0x0000, 0, (12, 0, 0))]
)
def test_what_the_peer_answers_is_counted(kept: Path, status: int, code: int, counts: tuple[int, int, int]) -> None:
    with Capture(ae_title="WS1", status=status) as peer:
        known(kept, peer.port)
        told = sent(kept, code=code)
        people = run("send", EVERYTHING, "WS1", "--store", kept)
    assert (told["sent"], told["warned"], told["failed"]) == counts
    assert people.returncode == code
    if code:
        assert {one["reason"] for one in told["failures"]} == {"the peer answered A700 (out of resources)"}
        assert people.stderr == "not sent: 12 instances: the peer answered A700 (out of resources)\n"


def test_what_is_not_taken_as_it_is_goes_in_another_syntax(kept: Path) -> None:
    with Capture(ae_title="WS1", contexts=[(CT, [IMPLICIT])]) as peer:
        known(kept, peer.port)
        assert sent(kept)["sent"] == 12
        arrived = peer.take()
    assert {one.transfer_syntax for one in arrived} == {IMPLICIT}
    assert len(arrived) == 12


def test_a_class_that_is_not_taken_fails_alone(tmp_path: Path, kept: Path) -> None:
    other = Named(5)
    file = tmp_path / "other.dcm"
    file.write_bytes(dataset.canonical_head("1.2.3", other.sop, EXPLICIT) + other.dataset(sop_class="1.2.3"))
    assert run("import", file, "--store", kept).returncode == 0
    with Capture(ae_title="WS1", contexts=[(CT, [EXPLICIT])]) as peer:
        known(kept, peer.port)
        counts = sent(kept, code=1)
    assert (counts["sent"], counts["failed"]) == (12, 1)
    assert counts["failures"] == [
        {"sop_instance_uid": other.sop, "reason": "the peer does not take their SOP class"},
    ]


@pytest.mark.parametrize("harm", ["flipped", "gone"])
@BESIDE_A_NODE
def test_a_damaged_object_fails_alone_and_is_never_sent(kept: Path, harm: str, beside_a_node: bool) -> None:
    file = sorted((kept / "archive").rglob("*.dcm"))[5]
    uid = dataset.describe(file.read_bytes()).sop_instance_uid
    if harm == "gone":
        file.unlink()
    else:
        file.chmod(0o600)
        flip(file, -20)
    with Capture(ae_title="WS1") as peer, start(kept) if beside_a_node else nullcontext():
        known(kept, peer.port)
        counts = sent(kept, code=1)
        arrived = {one.sop_instance for one in peer.take()}
    reason = "the object is not there" if harm == "gone" else "the object is not what was written"
    assert counts["failures"] == [{"sop_instance_uid": uid, "reason": reason}]
    assert counts["sent"] == len(arrived) == 11 and uid not in arrived


def test_more_than_128_contexts_are_several_associations(tmp_path: Path) -> None:
    store, folder = tmp_path / "store", tmp_path / "classes"
    folder.mkdir()
    for number in range(1, 141):
        named = Named(number)
        head = dataset.canonical_head(f"1.2.3.{number}", named.sop, EXPLICIT)
        (folder / f"{number}.dcm").write_bytes(head + named.dataset(sop_class=f"1.2.3.{number}"))
    assert run("import", folder, "--store", store).returncode == 0
    with Capture(ae_title="WS1") as peer:
        known(store, peer.port)
        assert sent(store)["sent"] == 140
        assert peer.associations == 3
        assert len({one.sop_class for one in peer.take()}) == 140


class Slow(Capture):
    """Answers nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__(ae_title="WS1")
        self.asked, self.go = threading.Event(), threading.Event()

    def _keep(self, event: Any) -> int:
        self.asked.set()
        self.go.wait(60)
        return super()._keep(event)


@BESIDE_A_NODE
def test_a_send_that_is_interrupted_ends_at_once(kept: Path, beside_a_node: bool) -> None:
    with Slow() as peer, start(kept) if beside_a_node else nullcontext() as node:
        known(kept, peer.port)
        command = [*COMMAND, "send", EVERYTHING, "WS1", "--store", str(kept)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as sending:
            assert peer.asked.wait(60)
            sending.send_signal(signal.SIGINT)
            _, said = sending.communicate(timeout=30)
        peer.go.set()
        assert (sending.returncode, said) == (130, "interrupted: 0 of 12 instances sent\n")
        assert node is None or node.process.poll() is None
        assert run("status", "--store", kept).returncode == 0
        peer.take()
        assert sent(kept)["sent"] == 12
