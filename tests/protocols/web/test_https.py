"""HTTPS below the door: stalled and dribbling handshakes, clients that are gone in the middle (H46, H63)."""

import logging
import ssl
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

import engine
from protocols.security import Certificate, Certificates, SecureListener
from protocols.web import Health, WebSettings
from protocols.web.app import serve
from tests.certificates import Authority


def test_h46_h63_stalled_handshakes_end_and_hold_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    certificates = Certificates(Certificate(str(certificate), str(key)))
    trusted = ssl.create_default_context(cafile=str(authority.ca))

    async def work() -> None:
        shutdown = trio.Event()
        (plain,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = plain.socket.getsockname()[1]
        settings = WebSettings(head_seconds_max=1.0)
        async with engine.open("memory://") as archive, trio.open_nursery() as nursery:
            listeners = [SecureListener(plain, certificates)]
            await nursery.start(partial(serve, listeners, Health(), archive, settings, shutdown=shutdown))
            stalled = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(40)]
            for stream in stalled[20:]:
                await stream.send_all(b"\x16\x03\x01\x02\x00\x01")
            async with httpx.AsyncClient(verify=trusted, trust_env=False) as client:
                answer = await client.get(f"https://localhost:{port}/dicomweb/studies")
                assert answer.status_code == 200 and answer.json() == []
            for stream in stalled:
                try:
                    assert await stream.receive_some(1) == b""
                except trio.BrokenResourceError:
                    continue  # reset: what it had sent was not read
            shutdown.set()

    async def bounded() -> None:
        with trio.fail_after(30):
            await work()

    with caplog.at_level(logging.INFO, "filmroom"):
        trio.run(bounded)
    assert sum("the handshake took too long" in record.message for record in caplog.records) == 40
