"""What ``doctor`` asks of the certificate, and what ``serve`` warns of: whether it can be used, and for how long."""

import ssl
from collections.abc import Iterator

from engine import Invalid
from filmroom.check import Check
from filmroom.compose import certificates
from filmroom.settings import Settings
from protocols.security import Certificates

DAY_SECONDS = 86_400
# Authorities renew by then; below, something has gone wrong.
DAYS_SOON = 14
RENEW = "renew it, then send SIGHUP to the node"


def tls(settings: Settings, now_us: int) -> Iterator[Check]:
    """Nothing when there is no TLS."""
    try:
        shown = certificates(settings)
    except Invalid as error:
        yield Check("TLS", "bad", str(error), "name a certificate and its key: --tls-cert, --tls-key")
        return
    if shown is not None:
        yield validity(shown, now_us)


def validity(shown: Certificates, now_us: int) -> Check:
    """Whether clients will believe its dates."""
    try:
        ends_at = ssl.cert_time_to_seconds(str(seen_by_client(shown)["notAfter"]))
    except ssl.SSLCertVerificationError as error:
        return Check("TLS", "bad", f"the certificate: {error.verify_message}", RENEW)
    days = (ends_at - now_us // 1_000_000) // DAY_SECONDS
    found = f"the certificate is good for {days} days"
    return Check("TLS", "ok", found) if days >= DAYS_SOON else Check("TLS", "warn", found, RENEW)


def seen_by_client(shown: Certificates) -> dict[str, object]:
    """Our certificate as a client has it that believes no other: a handshake in memory. Raises SSLError."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname = False
    theirs.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    theirs.load_verify_locations(shown.files.certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = shown.context.wrap_bio(up, down, server_side=True)
    client = theirs.wrap_bio(down, up)
    for end in (client, server, client):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return dict(client.getpeercert() or {})
