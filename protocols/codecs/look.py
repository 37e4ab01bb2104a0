"""How a frame is to look on a screen (PS3.3 C.11.1, C.11.2, C.7.6.3; PS3.18 8.3.5): what a renderer is told."""

from typing import Literal

import msgspec

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


class Table(msgspec.Struct, frozen=True):
    """A lookup table: entries of so many bits (8 or 16), little endian; ``first``: the value mapped by the first."""

    count: int
    first: int
    bits: int
    data: bytes


class Window(msgspec.Struct, frozen=True):
    """Values of interest."""

    center: float
    width: float
    function: Function = "LINEAR"


class Viewport(msgspec.Struct, frozen=True):
    """The size to fit the image into, and which part of it (left, top, width, height in pixels; 0 width: to its end).
    ``flips_x``, ``flips_y``: turned over."""

    columns: int
    rows: int
    left: int = 0
    top: int = 0
    width: int = 0
    height: int = 0
    flips_x: bool = False
    flips_y: bool = False


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Of one frame. Without window and table of values of interest all values of the frame are shown. ``padding``: the
    stored values, from the first to the last, that do not count among them."""

    slope: float = 1.0
    intercept: float = 0.0
    modality: Table | None = None
    window: Window | None = None
    padding: tuple[int, int] | None = None
    voi: Table | None = None
    palette: tuple[Table, Table, Table] | None = None
    viewport: Viewport | None = None
    media_type: Literal["image/jpeg", "image/png"] = "image/jpeg"
    quality: int = 90
