"""The front door of DIMSE: a port that serves an archive, and associations of our own to configured peers."""

from engine.ports import Peer, Peers
from protocols.dimse.callers import Call, Callers
from protocols.dimse.listener import serve
from protocols.dimse.requestor import NotAssociated, Requestor, associate, echo
from protocols.dimse.settings import DimseSettings

__all__ = [
    "Call",
    "Callers",
    "DimseSettings",
    "NotAssociated",
    "Peer",
    "Peers",
    "Requestor",
    "associate",
    "echo",
    "serve",
]
