"""The web's front door: what is served over HTTP."""

from protocols.web.app import serve
from protocols.web.health import Health

__all__ = ["Health", "serve"]
