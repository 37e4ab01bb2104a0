"""What the engine and its protocols need from outside; ``filmroom/compose.py`` fills it in."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Peer(msgspec.Struct, frozen=True):
    """A DICOM application that configuration names: the only kind of place we open a connection to.

    ``character_set``: of answers to it, and of questions by it that name none; empty: as stored. ``tls``: called over
    TLS; ``tls_ca``: PEM file of whom we believe for it, empty: whom this machine does; ``tls_name``: the name in its
    certificate, when that is not its host.
    """

    ae_title: str
    host: str
    port: int
    character_set: str = ""
    tls: bool = False
    tls_ca: str = ""
    tls_name: str = ""


class Peers(Protocol):
    """The known peers. May change while a node runs; lookups are in memory and do not block."""

    def lookup(self, ae_title: str) -> Peer | None:
        """The peer of this AE title (leading and trailing spaces do not count), or None."""

    def all(self) -> Sequence[Peer]:
        """Every known peer, by AE title."""
