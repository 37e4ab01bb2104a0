"""AE titles (PS3.5 6.2, PS3.8 table 9-11): who calls, whom they call, and whether they may."""

import ipaddress
import shlex

from engine.ports import Peers
from protocols.dimse.proof import Caller
from protocols.dimse.settings import CallingRule

DICOM_PORT = 104


def title_of(field: bytes) -> str | None:
    """The AE title in a 16-byte field, without leading and trailing spaces; None when it is not one.

    Control characters, backslash and bytes outside ASCII are not allowed by the standard; ``../`` never by us: titles
    end up in other systems' file names.
    """
    if len(field) != 16 or any(byte < 0x20 or byte > 0x7E or byte == 0x5C for byte in field):
        return None
    title = field.decode("ascii").strip(" ")
    return None if not title or "../" in title else title


def field_of(title: str) -> bytes:
    """The 16-byte field of an AE title."""
    return title.strip(" ").encode("ascii")[:16].ljust(16)


def why_not(title: str, caller: Caller, rule: CallingRule, peers: Peers, store_flag: str = "") -> str:
    """Why this calling AE title is not served, with the command that would change it; empty: it is served."""
    if is_anybody(caller.address, rule):
        return ""
    peer = peers.lookup(title)
    if peer is None:
        return f"{title} is not a known peer; to allow it: {allow_command(title, caller.address, store_flag)}"
    if rule == "title" or caller.is_peer(peer):
        return ""
    if caller.names is not None:
        name = peer.tls_name or peer.host
        return f"{title} is known as {name}, which the certificate of this caller at {caller.address} does not name"
    allow = allow_command(title, caller.address, store_flag, peer.port)
    return f"{title} is known at {peer.host}, and not at {caller.address}; if it is there: {allow}"


def is_anybody(address: str, rule: CallingRule) -> bool:
    """Whether any calling AE title is served from here."""
    return rule == "any" or (rule == "auto" and is_loopback(address))


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's own (IPv4 mapped into IPv6 too)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def allow_command(title: str, address: str, store_flag: str = "", port: int = DICOM_PORT) -> str:
    """The command that would make this AE title a known peer."""
    host = f"[{address}]" if ":" in address else address
    return f"filmroom aet add {shlex.quote(title)} {host}:{port}{store_flag}"
