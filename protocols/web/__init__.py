"""The web's front door: what is served over HTTP. The framework loads when ``serve`` is first used: commands need only
the values beside it."""

from typing import TYPE_CHECKING, Any

from protocols.web.doorstep import is_loopback
from protocols.web.health import Health
from protocols.web.lock import Holder, Lock
from protocols.web.ports import Echoed, Household, KnownPeer, Refused, Tell
from protocols.web.proxies import networks
from protocols.web.rest.changes import bounded as bounded_changes
from protocols.web.rest.changes import told as told_change
from protocols.web.routing import Scope
from protocols.web.settings import WebSettings
from protocols.web.viewer.installed import ALTERED

if TYPE_CHECKING:
    from protocols.web.app import serve

__all__ = [
    "ALTERED",
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
    "networks",
    "serve",
    "told_change",
]


def __getattr__(name: str) -> Any:
    if name != "serve":
        raise AttributeError(name)
    from protocols.web import app

    return app.serve
