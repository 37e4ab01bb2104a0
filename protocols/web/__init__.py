"""The web's front door: what is served over HTTP."""

from protocols.web.app import WebSettings, serve
from protocols.web.health import Health

__all__ = ["Health", "WebSettings", "serve"]
