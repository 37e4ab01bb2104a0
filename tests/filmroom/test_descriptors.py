"""A node that may open few files says so to clients that come all at once, and goes on (H63)."""

import resource
import socket
from functools import partial
from pathlib import Path

import pytest

from filmroom.descriptors import connections_count_max
from tests.filmroom.running import start

ASKED = b"GET /dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def answer(where: tuple[str, int]) -> bytes:
    """The first line of what a request hears; empty when the connection is closed on it."""
    with socket.create_connection(where, timeout=5) as link:
        try:
            link.sendall(ASKED)
            return link.recv(4096).partition(b"\r\n")[0]
        except ConnectionError:
            return b""


def lowered(soft: int, hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_h63_idle_connections_do_not_take_the_last_descriptor(tmp_path: Path) -> None:
    with start(tmp_path / "store", before=partial(lowered, 256, 600)) as node:
        idle = [socket.create_connection(node.http, timeout=5) for _ in range(700)]
        said = b""
        while said != b"HTTP/1.1 503 Service Unavailable":
            said = answer(node.http)
        socket.create_connection(node.dicom, timeout=5).close()
        for one in idle:
            one.close()
        while said != b"HTTP/1.1 200 OK":
            said = answer(node.http)
        assert "Too many open files" not in node.log()
        assert node.stop() == 0


def test_a_node_asks_for_the_descriptors_that_it_wants(tmp_path: Path) -> None:
    hard = min(4000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    with start(tmp_path / "store", before=partial(lowered, 256, hard)) as node:
        assert resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)


@pytest.mark.parametrize(("allowed", "count"), [(64, 16), (1024, 192), (16_384, 2048)])
def test_connections_fit_what_may_be_open(allowed: int, count: int) -> None:
    assert connections_count_max(2048, allowed) == count
