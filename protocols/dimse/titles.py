"""AE titles (PS3.5 6.2, PS3.8 table 9-11): who calls, whom they call, and whether they may."""

import ipaddress
import re
import shlex
from typing import Final

from engine.ports import Peer, Peers
from protocols.dimse.proof import Caller, is_address
from protocols.dimse.settings import CallingRule

DICOM_PORT = 104
# Of a certificate, what a log line repeats: names and addresses, and not all of hundreds.
_CERTIFIED: Final = re.compile(r"[0-9A-Za-z*_.:-]{1,253}")
_NAMES_COUNT_MAX: Final = 4


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
        return _named_otherwise(title, peer, caller, caller.names, store_flag)
    allow = allow_command(title, caller.address, _flags(peer, peer.tls_name) + store_flag, peer.port)
    return (
        f"{title} is known at {peer.host}, and not at {caller.address}; if it is there: {allow}; "
        'if the network hides where it calls from (NAT): serve.calling = "title"'
    )


def _named_otherwise(title: str, peer: Peer, caller: Caller, names: frozenset[str], store_flag: str) -> str:
    why = f"{title} is known as {peer.tls_name or peer.host}, which the certificate of this caller at {caller.address}"
    said = sorted((name for name in names if _CERTIFIED.fullmatch(name)), key=lambda name: (is_address(name), name))
    if not said:
        return f"{why} does not name"
    allow = allow_command(title, peer.host, _flags(peer, said[0]) + store_flag, peer.port)
    others = f" (it names {', '.join(said[:_NAMES_COUNT_MAX])})"
    return (
        f"{why} does not name{others}; if it is the same: {allow}; "
        f"for a [[peer]] of the configuration: tls_name = {said[0]!r} there"
    )


def _flags(peer: Peer, tls_name: str) -> str:
    """What ``filmroom aet add`` must say beside the address, so that nothing else of the peer changes."""
    flags = {"--tls-ca": peer.tls_ca, "--tls-name": tls_name, "--character-set": peer.character_set}
    said = [f" {flag} {shlex.quote(value)}" for flag, value in flags.items() if value]
    if tls_name or peer.tls_ca:
        return "".join(said) + ("" if peer.tls else " --no-tls")
    return "".join(said) + (" --tls" if peer.tls else "")


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
