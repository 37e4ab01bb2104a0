"""Hosts of peers, looked up: what was found counts while a name server is out (H15)."""

import socket
from typing import Any

import trio
import trio.testing

from protocols.dimse.hosts import KEPT_SECONDS, RETRY_SECONDS, Hosts


class Names(trio.abc.HostnameResolver):
    """A name server; ``address`` empty: it is out."""

    def __init__(self) -> None:
        self.address = ""
        self.asked = 0

    async def getaddrinfo(self, host: Any, port: Any, family: int = 0, *_: Any) -> Any:  # type: ignore[override]
        self.asked += 1
        if not self.address:
            raise socket.gaierror("out")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.address, 0))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


def test_a_name_server_that_is_out_locks_out_nobody_who_was_known() -> None:
    clock = trio.testing.MockClock()

    async def work() -> None:
        names, hosts = Names(), Hosts()
        trio.socket.set_custom_hostname_resolver(names)
        assert await hosts.addresses("ct1.example") == frozenset()
        assert await hosts.addresses("ct1.example") == frozenset() and names.asked == 1
        names.address = "192.0.2.1"
        clock.jump(RETRY_SECONDS)
        assert await hosts.addresses("ct1.example") == {"192.0.2.1"}
        names.address = ""
        clock.jump(KEPT_SECONDS)
        assert await hosts.addresses("ct1.example") == {"192.0.2.1"} and names.asked == 3
        names.address = "192.0.2.2"
        clock.jump(RETRY_SECONDS)
        assert await hosts.addresses("ct1.example") == {"192.0.2.2"}

    trio.run(work, clock=clock)
