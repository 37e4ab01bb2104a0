"""The web's front door: what is served over HTTP."""

from protocols.web.app import serve
from protocols.web.doorstep import is_loopback
from protocols.web.health import Health
from protocols.web.lock import Holder, Lock
from protocols.web.ports import Echoed, Household, KnownPeer, Refused, Tell
from protocols.web.rest.changes import bounded as bounded_changes
from protocols.web.rest.changes import told as told_change
from protocols.web.routing import Scope
from protocols.web.settings import WebSettings

__all__ = [
    "Echoed",
    "Health",
    "Holder",
    "Household",
    "KnownPeer",
    "Lock",
    "Refused",
    "Scope",
    "Tell",
    "WebSettings",
    "bounded_changes",
    "is_loopback",
    "serve",
    "told_change",
]
