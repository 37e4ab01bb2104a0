"""Whose ``Forwarded`` and ``X-Forwarded`` headers are believed. Pure."""

import ipaddress
from functools import lru_cache

from engine.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_trusted(peer: str, proxies: tuple[str, ...]) -> bool:
    """Whether a connection came from one of these addresses or networks (10.0.0.0/8)."""
    return bool(proxies) and _is_in(peer, proxies)


@lru_cache(maxsize=1024)
def _is_in(peer: str, proxies: tuple[str, ...]) -> bool:
    try:
        address: Address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address  # who listens on :: sees IPv4 clients so
    return any(address in network for network in networks(proxies))


@lru_cache(maxsize=16)
def networks(proxies: tuple[str, ...]) -> tuple[Network, ...]:
    """Raises Invalid for what is neither an address nor a network."""
    found = []
    for text in proxies:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise Invalid(
                f"serve.trusted_proxies: {text[:64]!r} is no address and no network (10.0.0.9 or 10.0.0.0/8)"
            ) from None
    return tuple(found)
