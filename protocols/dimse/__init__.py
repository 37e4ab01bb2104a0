"""The front door of DIMSE: a port that serves an archive, and associations of our own to configured peers."""

from engine.ports import Peer, Peers
from protocols.dimse.callers import Call, Callers
from protocols.dimse.connecting import NotAssociated
from protocols.dimse.delivery import Delivery
from protocols.dimse.listener import Listener, serve
from protocols.dimse.outbound import Outbound
from protocols.dimse.requestor import Requestor, associate, echo
from protocols.dimse.sending import Sending
from protocols.dimse.settings import DimseSettings
from protocols.dimse.tally import Tally
from protocols.dimse.traffic import Traffic

__all__ = [
    "Call",
    "Callers",
    "Delivery",
    "DimseSettings",
    "Listener",
    "NotAssociated",
    "Outbound",
    "Peer",
    "Peers",
    "Requestor",
    "Sending",
    "Tally",
    "Traffic",
    "associate",
    "echo",
    "serve",
]
