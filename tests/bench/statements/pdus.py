"""A DICOM port that breaks one thing: a relay that takes PDUs apart, and puts them together changed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
import trio

from bench.lean import Command, Target
from native import pdu

ChangeCommand = Callable[[Command, bytes], tuple[Command, bytes] | None]
ChangePdu = Callable[[int, bytes], tuple[int, bytes] | None]
DATA = 4
NO_DATA_SET = 0x101


class Relay:
    """``command`` changes each message from the server, with its data set; None drops it. ``whole`` changes each other
    PDU from the server."""

    def __init__(self, target: Target, command: ChangeCommand | None = None, whole: ChangePdu | None = None) -> None:
        self._target = target
        self._command = command
        self._whole = whole

    async def serve(self, client: trio.SocketStream) -> None:
        server = await trio.open_tcp_stream(self._target.host, self._target.port)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(self._pass, client, server)
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._back(server, client)
            nursery.cancel_scope.cancel()

    async def _pass(self, client: trio.SocketStream, server: trio.SocketStream) -> None:
        try:
            async for piece in client:
                await server.send_all(piece)
            await server.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async def _back(self, server: trio.SocketStream, client: trio.SocketStream) -> None:
        received = bytearray()
        command = data = b""
        async for piece in server:
            received += piece
            while len(received) >= 6 and len(received) >= 6 + int.from_bytes(received[2:6], "big"):
                length = 6 + int.from_bytes(received[2:6], "big")
                head, body = received[0], bytes(received[6:length])
                del received[:length]
                if head != DATA:
                    await self._send(client, head, body)
                    continue
                at = 0
                while at < len(body):
                    end = at + 4 + int.from_bytes(body[at : at + 4], "big")
                    context, flags, value = body[at + 4], body[at + 5], body[at + 6 : end]
                    at = end
                    if flags & 1:
                        command += value
                    else:
                        data += value
                    is_done = flags & 2 and (not flags & 1 or pdu.decode_command(command)[0x800] == NO_DATA_SET)
                    if is_done:
                        await self._message(client, context, command, data)
                        command = data = b""

    async def _message(self, client: trio.SocketStream, context: int, command: bytes, data: bytes) -> None:
        said = pdu.decode_command(command)
        changed = (said, data) if self._command is None else self._command(said, data)
        if changed is not None:
            said, data = changed
            has_data = said[0x800] != NO_DATA_SET
            await client.send_all(
                pdu.encode_message(context, pdu.encode_command(said), data if has_data else None, 16384)
            )

    async def _send(self, client: trio.SocketStream, kind: int, body: bytes) -> None:
        changed = (kind, body) if self._whole is None else self._whole(kind, body)
        if changed is not None:
            kind, body = changed
            await client.send_all(bytes([kind, 0]) + len(body).to_bytes(4, "big") + body)


@asynccontextmanager
async def relayed(target: Target, **changes: ChangeCommand | ChangePdu) -> AsyncIterator[Target]:
    """Where the relay listens, until the block ends."""
    relay = Relay(target, **changes)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, relay.serve, 0)
        port = listeners[0].socket.getsockname()[1]
        yield msgspec.structs.replace(target, port=port)
        nursery.cancel_scope.cancel()
