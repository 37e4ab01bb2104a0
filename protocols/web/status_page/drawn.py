"""Pages and parts of them, made by Jinja of the templates beside this; everything in them is escaped."""

from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2

from protocols.web import static_files
from protocols.web.messages import Headers, Reply
from protocols.web.static_files import StaticFile
from protocols.web.status_page import shown

HERE: Final = Path(__file__).parent
HTML: Final = "text/html; charset=utf-8"
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final[Headers] = (
    ("Content-Type", HTML),
    ("Content-Security-Policy", POLICY),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)


@cache
def files() -> dict[str, StaticFile]:
    """Scripts and style, by name."""
    return static_files.files_below(HERE / "static")


@cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(shown.FILTERS)
    return made


def page(template: str, headers: Headers = (), /, **values: Any) -> Reply:
    """A template with values."""
    body = _templates().get_template(template).render(values).encode()
    return Reply(200, (*HEADERS, *headers), body)
