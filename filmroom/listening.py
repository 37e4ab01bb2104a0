"""The sockets of a node: bound together before anything is announced, with a sentence for each way to fail."""

import errno
import os
import socket

import trio

from engine import Invalid
from filmroom.exits import Unreachable

# Connections that wait until a busy moment has passed.
BACKLOG_COUNT = 1024
PRIVILEGED_PORTS_END = 1024


async def listen(host: str, port: int, flag: str) -> list[trio.SocketListener]:
    """Bound listeners. Raises Invalid for a host that is not ours, PermissionError, Unreachable for a taken port;
    each names the ``flag`` that would help."""
    try:
        return await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG_COUNT)
    except socket.gaierror:
        raise Invalid(
            f"cannot listen on {host}: unknown host; --host takes an address or name of this machine"
        ) from None
    except PermissionError:
        low = " (ports below 1024 need root or CAP_NET_BIND_SERVICE)" if port < PRIVILEGED_PORTS_END else ""
        raise PermissionError(f"cannot listen on {host}:{port}: not allowed{low}: choose another with {flag}") from None
    except OSError as error:
        where = f"cannot listen on {host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise Unreachable(f"{where}: the port is taken; choose another with {flag} (0 takes a free one)") from error
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            hint = "--host takes 127.0.0.1, 0.0.0.0 (every one) or one that `ip address` shows"
            raise Invalid(f"{where}: {host} is not an address of this machine; {hint}") from error
        raise Unreachable(f"{where}: {os.strerror(error.errno or 0)}") from error


def address_of(listeners: list[trio.SocketListener]) -> tuple[str, int]:
    """Host and port of the first."""
    host, port = listeners[0].socket.getsockname()[:2]
    return str(host), int(port)
