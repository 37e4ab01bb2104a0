"""DICOM over TLS below the association: the pump in both directions, stalled handshakes, connections that break (C20,
H46, H18)."""

import logging
import os
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import trio

from engine.ports import Peer
from protocols.dimse import NotAssociated, associate, classes, echo, secure
from protocols.dimse.leases import Interrupts
from protocols.dimse.listener import serve
from protocols.dimse.settings import DimseSettings
from protocols.security import Certificate, Certificates, SecureListener, client_context
from tests.certificates import Authority
from tests.protocols.small_archive import SmallArchive, SmallPeers

MIB = 1 << 20
VERIFICATION = [(classes.VERIFICATION, classes.IMPLICIT_LITTLE)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


async def pair(authority: Authority) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Two ends of one connection, their handshake done."""
    certificate, key = authority.issue("server")
    server = Certificates(Certificate(str(certificate), str(key)))
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
    there = await listener.accept()
    await listener.aclose()
    one = secure.wrapped(client, client_context(str(authority.ca)), server_side=False, name="localhost")
    other = secure.wrapped(there, server.context, server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(secure.shake, one, 10)
        nursery.start_soon(secure.shake, other, 10)
    return one, other


async def read_all(stream: trio.socket.SocketType, into: bytearray) -> None:
    while data := await stream.recv(65536):
        into += data


async def send_all(stream: trio.socket.SocketType, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[await stream.send(view) :]


def in_time(work: Callable[[], Awaitable[None]], seconds: float = 30) -> None:
    async def bounded() -> None:
        with trio.fail_after(seconds):
            await work()

    trio.run(bounded)


def test_many_bytes_both_ways_at_once_and_a_half_closed_end(authority: Authority) -> None:
    async def work() -> None:
        one, other = await pair(authority)
        up, down = os.urandom(8 * MIB + 1), os.urandom(5 * MIB + 3)
        got_up, got_down = bytearray(), bytearray()

        async def talk(end: trio.socket.SocketType, sent: bytes) -> None:
            await send_all(end, sent)
            await send_all(end, b"last")

        async def read_until(end: trio.socket.SocketType, into: bytearray, count: int) -> None:
            while len(into) < count:
                data = await end.recv(65536)
                assert data
                into += data

        async with secure.opened(one) as a, secure.opened(other) as b, trio.open_nursery() as nursery:
            nursery.start_soon(talk, a, up)
            nursery.start_soon(talk, b, down)
            nursery.start_soon(read_until, b, got_up, len(up) + 4)
            nursery.start_soon(read_until, a, got_down, len(down) + 4)
        assert got_up == up + b"last"
        assert got_down == down + b"last"

    in_time(work)


def test_what_was_said_before_the_close_arrives_and_then_the_end(authority: Authority) -> None:
    async def work() -> None:
        one, other = await pair(authority)
        got = bytearray()
        async with secure.opened(other) as b:
            async with secure.opened(one) as a:
                await send_all(a, b"x" * 100_000)
            await read_all(b, got)
        assert got == b"x" * 100_000

    in_time(work)


def test_h18_a_peer_that_takes_nothing_does_not_hold_the_end(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secure, "LAST_SECONDS", 0.2)

    async def work() -> None:
        one, other = await pair(authority)
        with other:
            async with secure.opened(one) as a:
                with trio.move_on_after(0.5):
                    await send_all(a, bytes(64 * MIB))

    in_time(work, 10)


def test_an_end_that_breaks_is_an_end(authority: Authority) -> None:
    async def work() -> None:
        one, other = await pair(authority)
        async with secure.opened(one) as a:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            other.close()
            assert await a.recv(10) == b""

    in_time(work, 10)


def test_what_goes_wrong_inside_is_raised_as_it_is(authority: Authority) -> None:
    async def work() -> None:
        one, other = await pair(authority)
        with other, pytest.raises(KeyError):
            async with secure.opened(one):
                raise KeyError

    in_time(work, 10)


async def serving(check: Callable[[int], Awaitable[None]], authority: Authority, **settings: object) -> None:
    certificate, key = authority.issue("server")
    certificates = Certificates(Certificate(str(certificate), str(key)))
    (plain,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    shutdown = trio.Event()
    made = DimseSettings(port=0, **settings)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        listeners = [SecureListener(plain, certificates)]
        start = partial(serve, SmallArchive(), made, SmallPeers(), listeners=listeners, shutdown=shutdown)
        _, port = await nursery.start(start)
        try:
            await check(port)
        finally:
            shutdown.set()


def known(authority: Authority, port: int) -> Peer:
    return Peer("FILMROOM", "localhost", port, tls=True, tls_ca=str(authority.ca))


def test_h46_stalled_and_dribbling_handshakes_end_and_hold_nobody_up(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(port: int) -> None:
        stalled = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(50)]
        for stream in stalled[25:]:
            await stream.send_all(b"\x16\x03\x01\x02\x00\x01")  # a ClientHello that goes no further
        assert await echo(known(authority, port)) == 0
        for stream in stalled:
            assert await stream.receive_some(1) == b""

    with caplog.at_level(logging.INFO, "filmroom"):
        in_time(partial(serving, check, authority, artim_seconds=0.5))
    assert sum("the handshake took too long" in record.message for record in caplog.records) == 50


def test_h46_more_handshakes_than_there_is_room_for(authority: Authority) -> None:
    async def check(port: int) -> None:
        stalled = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(40)]
        assert await echo(known(authority, port)) == 0
        assert await stalled[0].receive_some(1) == b"", "the oldest made room"

    in_time(partial(serving, check, authority, half_open_max=8, artim_seconds=30.0))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tls_ca": ""}, "not to be believed"),
        ({"tls_name": "ws1.example"}, "not to be believed: Hostname mismatch"),
        ({"tls_ca": "/none.pem"}, "cannot read"),
        ({"tls": False}, None),
    ],
)
def test_c20_a_peer_that_we_do_not_believe_gets_nothing(
    authority: Authority, change: dict[str, object], sentence: str | None
) -> None:
    import msgspec

    async def check(port: int) -> None:
        with pytest.raises(NotAssociated, match=sentence):
            await echo(msgspec.structs.replace(known(authority, port), **change))
        assert await echo(msgspec.structs.replace(known(authority, port), host="127.0.0.1", tls_name="localhost")) == 0

    async def everywhere() -> None:
        await serving(check, authority)

    in_time(everywhere)


def test_a_certificate_is_read_again_and_a_broken_one_is_not(tmp_path: Path) -> None:
    made = Authority(tmp_path)
    certificate, key = made.issue("server")
    certificates = Certificates(Certificate(str(certificate), str(key)))
    first = certificates.context
    key.write_text("broken")
    assert not certificates.reload() and certificates.context is first
    made.issue("server")
    assert certificates.reload() and certificates.context is not first


def test_idle_associations_take_no_threads(authority: Authority) -> None:
    """Only while many bytes move is there a thread."""

    async def check(port: int) -> None:
        before = threading.active_count()
        async with AsyncExitStack() as held:
            for _ in range(60):
                how = associate(known(authority, port), DimseSettings(), VERIFICATION, Interrupts())
                requestor = await held.enter_async_context(how)
                assert await requestor.echo() == 0
            assert threading.active_count() - before <= 1

    in_time(partial(serving, check, authority), 60)
