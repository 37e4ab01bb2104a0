"""Single PDUs on a non-blocking socket, for who waits in a thread: use it from native.wire."""

def tell(fd: int, cancel_fd: int, data: bytes, *, timeout_ms: int) -> int:
    """Send; how much went out before the peer took nothing for ``timeout_ms``, the connection broke, or ``cancel_fd``
    became readable. A connection that is still being made is waited for as well."""

def hear(fd: int, cancel_fd: int, *, timeout_ms: int) -> bytes:
    """Receive until a PDU is whole, the peer is silent for ``timeout_ms`` or has been waited for some times, or the
    connection has ended; what came."""
