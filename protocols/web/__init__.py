"""The web's front door: what is served over HTTP."""

from protocols.web.app import serve
from protocols.web.health import Health
from protocols.web.settings import WebSettings

__all__ = ["Health", "WebSettings", "serve"]
