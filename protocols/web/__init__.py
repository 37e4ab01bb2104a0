"""The web's front door: what is served over HTTP."""

from protocols.web.app import serve
from protocols.web.doorstep import is_loopback
from protocols.web.health import Health
from protocols.web.lock import Holder, Lock
from protocols.web.routing import Scope
from protocols.web.settings import WebSettings

__all__ = ["Health", "Holder", "Lock", "Scope", "WebSettings", "is_loopback", "serve"]
