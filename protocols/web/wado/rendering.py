"""What a client asks of a rendered image by the query (PS3.18 8.3.5). Pure."""

from collections.abc import Sequence
from math import isfinite
from typing import Final

import msgspec

from protocols.transcode import Viewport, Window
from protocols.web.messages import Request
from protocols.web.problems import Problem
from protocols.web.routing import Parameter

PARAMETERS: Final = (
    Parameter("accept", "media types instead of those of the header"),
    Parameter("window", "center,width,function: linear, linear-exact or sigmoid"),
    Parameter("viewport", "columns,rows to fit the image into; then left,top,width,height of the part to show"),
    Parameter("quality", "of JPEG, 1 to 100"),
)
SIZE_MAX: Final = 8192
_FUNCTIONS: Final = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}


class Asked(msgspec.Struct, frozen=True):
    """The parameters."""

    window: Window | None
    viewport: Viewport | None
    quality: int


def asked_by(request: Request, viewport: Viewport | None = None) -> Asked:
    """``viewport``: for those who name none. Raises Problem (400)."""
    return Asked(
        _window(_one(request, "window")),
        _viewport(_one(request, "viewport")) or viewport,
        _quality(_one(request, "quality")),
    )


def _one(request: Request, name: str) -> str:
    return ",".join(request.values(name)).strip()


def _window(text: str) -> Window | None:
    if not text:
        return None
    parts = text.split(",")
    function = _FUNCTIONS.get(parts[2].strip().lower().replace("_", "-")) if len(parts) == 3 else "LINEAR"
    center, width = _numbers(parts[:2], "window")[:2] if 2 <= len(parts) <= 3 else (0.0, 0.0)
    if function is None or width <= 0:
        raise Problem(400, "window is center,width,function: linear, linear-exact or sigmoid")
    return Window(center, width, function)  # type: ignore[arg-type]


def _viewport(text: str) -> Viewport | None:
    if not text:
        return None
    parts = text.split(",")
    if len(parts) not in (2, 6):
        raise Problem(400, "viewport is columns,rows or columns,rows,left,top,width,height")
    columns, rows = _numbers(parts[:2], "viewport")
    left, top, width, height = _numbers([one.strip() or "0" for one in parts[2:]], "viewport") or (0.0,) * 4
    if not (1 <= columns <= SIZE_MAX and 1 <= rows <= SIZE_MAX and left >= 0 and top >= 0):
        raise Problem(400, f"a viewport has 1 to {SIZE_MAX} columns and rows, and begins within the image")
    return Viewport(
        int(columns), int(rows), int(left), int(top), int(abs(width)), int(abs(height)), width < 0, height < 0
    )


def _quality(text: str) -> int:
    if not text:
        return 90
    (quality,) = _numbers([text], "quality")
    if not 1 <= quality <= 100:
        raise Problem(400, "quality is 1 to 100")
    return int(quality)


def _numbers(parts: Sequence[str], name: str) -> list[float]:
    try:
        numbers = [float(one) for one in parts]
    except ValueError:
        raise Problem(400, f"{name} is no list of numbers") from None
    if not all(isfinite(one) and abs(one) < 1e9 for one in numbers):
        raise Problem(400, f"{name} is no list of sensible numbers")
    return numbers
