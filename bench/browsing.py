"""A real browser on the viewer: what it asks, and how long it takes until the first image stands on the screen."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct

CHROMIUM = Path("/usr/bin/chromium")
# WebGL without a GPU, and nothing that a browser does on its own.
FLAGS = (
    "--no-sandbox", "--enable-unsafe-swiftshader", "--use-gl=angle", "--use-angle=swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT_SECONDS_MAX = 120.0
QUIET_SECONDS = 3.0
_TIMER = re.compile(r"studyToFirstImage: ([0-9.]+) ms")
_QUIET = "try { localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour'])); } catch {}"


class Opened(Struct, frozen=True):
    """One opening of a study. ``first_image_ms``: the viewer's own timer, from when it knows which study to when the
    first image is drawn. ``from_click_ms``: from an empty window. ``asked``: path with query to Accept."""

    first_image_ms: float
    from_click_ms: float
    asked: dict[str, str]


class Viewing:
    """A browser."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    def open(self, origin: str, path: str, *, to_the_end: bool = False) -> Opened:
        """A study in a new profile, which has nothing in its cache. ``to_the_end``: until nothing more is asked.
        RuntimeError when something is refused, or no image comes."""
        context = self._browser.new_context(viewport={"width": 1280, "height": 800})
        try:
            context.add_init_script(_QUIET)
            return _opened(context.new_page(), origin, path, to_the_end)
        finally:
            context.close()


def _opened(page: Any, origin: str, path: str, to_the_end: bool) -> Opened:
    asked: dict[str, str] = {}
    refused: list[str] = []
    drawn: list[tuple[float, float]] = []
    heard = [time.perf_counter()]

    def note(response: Any) -> None:
        heard[0] = time.perf_counter()
        if response.url.startswith(origin):
            asked[response.url.removeprefix(origin)] = response.request.headers.get("accept", "*/*")
        if response.status not in (200, 304):
            refused.append(f"{response.status} {response.url}")

    def listen(message: Any) -> None:
        if found := _TIMER.search(message.text):
            drawn.append((float(found[1]), time.perf_counter()))

    page.on("response", note)
    page.on("console", listen)
    begun = time.perf_counter()
    page.goto(origin + path)
    while not drawn or (to_the_end and time.perf_counter() - heard[0] < QUIET_SECONDS):
        if refused:
            raise RuntimeError(f"no figure: {refused[:3]}")
        if time.perf_counter() - begun > WAIT_SECONDS_MAX:
            raise RuntimeError("no figure: no image came")
        page.wait_for_timeout(20)
    timer, moment = drawn[0]
    return Opened(timer, (moment - begun) * 1000, asked)


@contextmanager
def chromium() -> Iterator[Viewing]:
    """Headless. RuntimeError where it, or what drives it, is not installed."""
    if not CHROMIUM.exists() or find_spec("playwright") is None:
        raise RuntimeError("a browser is needed: apt-get install chromium; pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=list(FLAGS), ignore_default_args=["--disable-gpu"]
        )
        try:
            yield Viewing(browser)
        finally:
            browser.close()
