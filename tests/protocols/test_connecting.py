"""Connections of our own: nothing stays open of one that could not be made."""

import gc
import socket
from pathlib import Path

import pytest
import trio

from bench.process import free_port
from engine.ports import Peer
from protocols.dimse.connecting import NotAssociated, connecting, reach
from protocols.dimse.requestor import echo
from protocols.dimse.settings import DimseSettings

SETTINGS = DimseSettings()


def open_count() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_peer_that_is_down_leaves_nothing_open(host: str, tls: bool) -> None:
    async def main() -> None:
        port = free_port()
        gc.disable()  # what is left to the collector was left open
        try:
            before = open_count()
            for _ in range(3):
                with pytest.raises(NotAssociated, match="cannot be reached"):
                    await echo(Peer("DOWN", host, port, tls=tls), SETTINGS)
                assert open_count() == before
        finally:
            gc.enable()

    trio.run(main)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_peer_that_is_there_is_reached(host: str) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            async with connecting(Peer("THERE", host, server.getsockname()[1]), SETTINGS) as connected:
                await reach(connected, SETTINGS)
                await connected.send(b"here")
                with server.accept()[0] as theirs:
                    assert theirs.recv(4) == b"here"
                connected.close()

    trio.run(main)
