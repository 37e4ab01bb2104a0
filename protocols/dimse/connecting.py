"""Connections that we make, to configured peers alone: plain ones or with TLS."""

import errno
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from ipaddress import ip_address

import trio

from engine.errors import Invalid
from engine.ports import Peer
from protocols.dimse import secure
from protocols.dimse.settings import DimseSettings
from protocols.security import client_context, reason_of


class NotAssociated(Exception):
    """The peer cannot be reached, refuses us, or went away; ``str`` is one sentence for the log."""


@asynccontextmanager
async def connecting(peer: Peer, settings: DimseSettings) -> AsyncIterator[trio.socket.SocketType]:
    """A socket that is connected, or will be (``reach`` waits for it). Its user closes it. Raises NotAssociated."""
    if not peer.tls:
        yield await _connect(peer, settings)
        return
    socket = await _connect(peer, settings)
    try:
        await reach(socket, settings)
    except BaseException:
        socket.close()
        raise
    try:
        context = client_context(peer.tls_ca, settings.tls_certificate, settings.tls_key)
        stream = trio.SocketStream(socket)
        outer = secure.wrapped(stream, context, server_side=False, name=peer.tls_name or peer.host)
    except (Invalid, OSError, ValueError) as error:
        socket.close()
        raise NotAssociated(f"TLS: {error}") from error
    with closing(outer):
        try:
            await secure.shake(outer, settings.connect_seconds)
        except (OSError, trio.TooSlowError) as error:
            raise NotAssociated(f"TLS: {reason_of(error)}") from error
        async with secure.opened(outer) as inner:
            yield inner


async def reach(socket: trio.socket.SocketType, settings: DimseSettings) -> None:
    """Until it is connected; at once when it is. Raises NotAssociated."""
    if socket.family == sockets.AF_UNIX:
        return  # the plain side of one with TLS
    try:
        with trio.fail_after(settings.connect_seconds):
            await trio.lowlevel.wait_writable(socket)
        failed = socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_ERROR)
    except trio.TooSlowError as error:
        raise NotAssociated("the peer does not answer the connection") from error
    if failed or not _has_peer(socket):
        raise NotAssociated("the peer cannot be reached")


def _has_peer(socket: trio.socket.SocketType) -> bool:
    """Whether it is connected: who has sent on it before was told its error, which is told once."""
    try:
        socket.getpeername()
    except OSError:
        return False
    return True


async def _connect(peer: Peer, settings: DimseSettings) -> trio.socket.SocketType:
    """An address is connected to as it is; a name's addresses are tried side by side, which costs more."""
    try:
        family = sockets.AF_INET6 if ip_address(peer.host).version == 6 else sockets.AF_INET
    except ValueError:
        return await _connect_to_name(peer, settings)
    socket = sockets.socket(family, sockets.SOCK_STREAM | sockets.SOCK_NONBLOCK)
    failed = socket.connect_ex((peer.host, peer.port))
    if failed not in (0, errno.EINPROGRESS):
        socket.close()
        raise NotAssociated("the peer cannot be reached")
    return trio.socket.from_stdlib_socket(socket)


async def _connect_to_name(peer: Peer, settings: DimseSettings) -> trio.socket.SocketType:
    try:
        with trio.fail_after(settings.connect_seconds):
            return (await trio.open_tcp_stream(peer.host, peer.port)).socket
    except trio.TooSlowError as error:
        raise NotAssociated("the peer does not answer the connection") from error
    except OSError as error:
        raise NotAssociated("the peer cannot be reached") from error
