"""TLS for both doors: certificates that can be renewed, listeners that speak it, and what went wrong in words.

TLS 1.2 and 1.3 with the library's own choice of ciphers (PS3.15 B.12, BCP 195: forward secrecy and AEAD).
"""

import logging
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from engine.errors import Invalid

log = logging.getLogger("filmroom.tls")

# Of TLS 1.2; those of 1.3 are sound as they are.
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
REASONS: Final = {
    "HTTP_REQUEST": "it speaks HTTP without TLS",
    "HTTPS_PROXY_REQUEST": "it speaks HTTP without TLS",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "PACKET_LENGTH_TOO_LONG": "it does not speak TLS",
    "RECORD_LAYER_FAILURE": "it does not speak TLS",
    "UNEXPECTED_MESSAGE": "it does not speak TLS",
    "UNSUPPORTED_PROTOCOL": "it speaks nothing newer than TLS 1.1",
    "NO_SHARED_CIPHER": "it has no cipher in common with us",
    "NO_CIPHERS_AVAILABLE": "it has no cipher in common with us",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate, and we want one",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not to be believed",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not believe our certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of ours",
}


class Certificate(msgspec.Struct, frozen=True):
    """Paths of PEM files. ``client_ca``: whose client certificates count; ``is_client_wanted``: none, no entry."""

    certificate: str
    key: str
    client_ca: str = ""
    is_client_wanted: bool = False


class Certificates:
    """What this server shows. ``context`` is for new connections; those that are open keep theirs."""

    def __init__(self, files: Certificate) -> None:
        """Raises Invalid when the files cannot be used."""
        self.files = files
        self.context = server_context(files)

    def reload(self) -> bool:
        """Read the files again; when they cannot be used the old ones stay, and the log says why."""
        try:
            self.context = server_context(self.files)
        except Invalid as error:
            log.error(f"certificate not renewed, the old one stays: {error}")
            return False
        log.info("certificate renewed", extra={"file": self.files.certificate})
        return True


def server_context(files: Certificate) -> ssl.SSLContext:
    """Raises Invalid that names the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _load_own(context, files.certificate, files.key)
    if files.client_ca:
        _load_ca(context, files.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if files.is_client_wanted else ssl.CERT_OPTIONAL
    elif files.is_client_wanted:
        raise Invalid("tls.require_client_certificate needs tls.client_ca: the file with whose certificates we believe")
    return context


def client_context(ca: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """For connections of ours. ``ca``: whom we believe, empty: whom this machine does. Raises Invalid."""
    return _client_context(ca, certificate, key, tuple(_stamp(file) for file in (ca, certificate, key)))


@lru_cache(maxsize=64)
def _client_context(ca: str, certificate: str, key: str, stamps: tuple[int, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    if ca:
        _load_ca(context, ca)
    else:
        context.load_default_certs()
    if certificate:
        _load_own(context, certificate, key)
    return context


def _stamp(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns if file else 0
    except OSError:
        return 0


def _load_own(context: ssl.SSLContext, certificate: str, key: str) -> None:
    def no_password() -> str:
        raise Invalid(f"the key of {certificate} has a password: only keys without one can be read")

    try:
        context.load_cert_chain(certificate, key or None, no_password)
    except ssl.SSLError as error:
        mismatch = "KEY_VALUES_MISMATCH" in (error.reason or "")
        why = "certificate and key do not belong together" if mismatch else "no PEM file of a certificate and its key"
        raise Invalid(f"{certificate}, {key or 'the same file'}: {why}") from error
    except OSError as error:
        raise Invalid(f"cannot read the certificate {certificate} or its key {key}: {error.strerror}") from error


def _load_ca(context: ssl.SSLContext, ca: str) -> None:
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise Invalid(f"{ca}: no PEM file of certificates") from error
    except OSError as error:
        raise Invalid(f"cannot read the certificates {ca}: {error.strerror}") from error


class SecureListener(trio.abc.Listener[trio.SSLStream[trio.SocketStream]]):
    """Connections that begin with a handshake. That is done by who takes them, so that nobody waits for it."""

    def __init__(self, inner: trio.SocketListener, certificates: Certificates) -> None:
        self.inner = inner
        self.certificates = certificates

    @property
    def socket(self) -> trio.socket.SocketType:
        """What it listens on."""
        return self.inner.socket

    async def accept(self) -> trio.SSLStream[trio.SocketStream]:
        """The next connection, with the certificate of now."""
        stream = await self.inner.accept()
        return trio.SSLStream(stream, self.certificates.context, server_side=True, https_compatible=True)

    async def aclose(self) -> None:
        await self.inner.aclose()


async def shake(stream: trio.SSLStream[trio.SocketStream], seconds: float, door: str) -> None:
    """The handshake of a connection that came in; the log has why it failed. Raises what ended it."""
    try:
        with trio.fail_after(seconds):
            await stream.do_handshake()
    except (trio.BrokenResourceError, trio.TooSlowError) as error:
        log_refusal(error, _address_of(stream.transport_stream), door)
        raise


def _address_of(stream: trio.SocketStream) -> str:
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:
        return ""


def log_refusal(error: BaseException, peer: str, door: str) -> None:
    """One line for a handshake that failed: who, and why."""
    log.warning(f"TLS refused: {reason_of(error)}", extra={"peer": peer, "door": door})


def reason_of(error: BaseException) -> str:
    """Why a handshake failed, in words."""
    cause: Any = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__
    if isinstance(error, trio.TooSlowError):
        return "the handshake took too long"
    if cause is None or isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "the connection ended in the handshake"
    said = REASONS.get(cause.reason or "", (cause.reason or "the handshake failed").lower().replace("_", " "))
    if isinstance(cause, ssl.SSLCertVerificationError):
        said += f": {cause.verify_message}"
    return said
