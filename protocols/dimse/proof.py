"""What a caller shows beside the AE title that it claims: where it calls from, and whom its certificate names (H15).

A title is no secret: whoever knows it can say it. A peer is known by its certificate when it shows one, else by its
address. Pure.
"""

import ipaddress

import msgspec

from engine.ports import Peer


class Caller(msgspec.Struct, frozen=True):
    """``address`` of the connection; ``names`` in the certificate that it showed and we believe, None: it showed none;
    ``addresses`` of the host that the peer of the claimed title has."""

    address: str
    names: frozenset[str] | None = None
    addresses: frozenset[str] = frozenset()

    def is_peer(self, peer: Peer) -> bool:
        """Whether it shows that it is this peer."""
        if self.names is not None:
            return plain(peer.tls_name or peer.host) in self.names
        return plain(self.address) in self.addresses


def is_address(host: str) -> bool:
    """Whether it is an IP address, not a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def plain(host: str) -> str:
    """A name in lower case, an address as it is written commonly: what can be compared."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower().removesuffix(".")
    return str(getattr(address, "ipv4_mapped", None) or address)


def names_in(certificate: object) -> frozenset[str] | None:
    """Of a checked certificate, as ``SSLSocket.getpeercert`` gives it; None: none was shown. The common name counts
    only where no other names are (RFC 6125 6.4.4)."""
    if not isinstance(certificate, dict) or not certificate:
        return None
    others = {value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")}
    common = {value for parts in certificate.get("subject", ()) for kind, value in parts if kind == "commonName"}
    return frozenset(plain(value) for value in others or common)
