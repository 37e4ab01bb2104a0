"""A window of a real browser on the viewer: what it asks and is answered, what it complains of, what is seen in it."""

import json
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Response

from tests.browser.pictures import SIDE
from tests.tidy.reading import ROOT

SECONDS_MAX = 60
LOOK_MS = 100
WHITE = 250
FAILED = ROOT / "build" / "browser-failed.png"
Picture = NDArray[Any]


class Answer:
    """One request of the browser, answered. ``path``: with the query, below the origin."""

    def __init__(self, response: Response) -> None:
        self.method = response.request.method
        self.origin, self.path = parted(response.url)
        self.status = response.status
        self.accept = response.request.headers.get("accept", "")
        self.headers = response.headers


class Window:
    """One page and its record."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.answers: list[Answer] = []
        self.complaints: list[str] = []
        page.set_default_timeout(SECONDS_MAX * 1000)
        page.on("response", self._note)
        page.on("requestfailed", self._note_failed)
        page.on("console", self._note_said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)[:500]))

    def _note(self, response: Response) -> None:
        answer = Answer(response)
        self.answers.append(answer)
        if answer.status >= 400:
            self.complaints.append(f"{answer.status} {answer.method} {answer.path}")

    def _note_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the viewer went on
            self.complaints.append(f"{request.failure} {request.method} {request.url}")

    def _note_said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text[:500])

    # -- going about -------------------------------------------------------------------------------------------------

    def open(self, path: str) -> None:
        """A page of the viewer, without its first words."""
        self.answers.clear()
        self.page.goto(self.base + path)

    def open_study(self, uid: str, mode: str = "viewer") -> Picture:
        """A study, and its first picture."""
        self.open(f"{mode}?StudyInstanceUIDs={uid}")
        return self.shown()

    def open_series(self, number: int) -> None:
        """Another series of the study, by its thumbnail."""
        self.page.locator(f'[data-series="{number}"]').first.dblclick()

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Look until it holds; what it gave."""
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            found = holds()
            if found is not None and found is not False and not (isinstance(found, list) and not found):
                return found
            self.page.wait_for_timeout(LOOK_MS)
        self.page.screenshot(path=FAILED)
        raise AssertionError(
            f"{what} did not come; {self.complaints}; {[(a.status, a.path) for a in self.answers[-5:]]}"
        )

    def asked(self, part: str, method: str = "GET") -> list[Answer]:
        """Answers whose path holds this, of this page."""
        return [one for one in self.answers if part in one.path and one.method == method]

    # -- what is seen ------------------------------------------------------------------------------------------------

    @property
    def pane(self) -> Locator:
        """The active viewport."""
        return self.page.locator('[data-cy="viewport-pane"]').first

    def picture(self) -> Picture:
        """What is on the screen there: rows, columns, red green blue."""
        return picture_of(self.pane.screenshot())

    def shown(self, fits: Callable[[Picture], bool] = lambda picture: True) -> Picture:
        """The picture, as soon as there is one (not black, not uniform) and it fits."""
        self.pane.wait_for()

        def look() -> Picture | None:
            picture = self.picture()
            return picture if is_picture(picture) and fits(picture) else None

        return self.until(look, "a picture")  # type: ignore[no-any-return]

    def slice_shown(self, number: int) -> Picture:
        """The picture, once it is the one whose disc stands for this number."""
        return self.shown(lambda picture: abs(disc_of(picture) - number) < 0.6)

    def evaluate(self, script: str) -> Any:
        """What a script in the page gives, as JSON."""
        return json.loads(self.page.evaluate(f"() => JSON.stringify({script})"))


def parted(url: str) -> tuple[str, str]:
    """Origin, and what is below it."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", f"/{path}"


def picture_of(png: bytes) -> Picture:
    """The pixels of a screenshot."""
    return numpy.asarray(Image.open(BytesIO(png)).convert("RGB")).astype("i2")


def is_picture(picture: Picture) -> bool:
    """Whether the middle holds many shades, none of which is nearly all of it."""
    height, width, _ = picture.shape
    middle = picture[height // 5 : -height // 5, width // 5 : -width // 5]
    _, counts = numpy.unique(middle.reshape(-1, 3), axis=0, return_counts=True)
    return len(counts) >= 12 and counts.max() < 0.95 * counts.sum()


def disc_of(picture: Picture) -> float:
    """Which number the place of the disc stands for (see ``pictures.disc``); the picture fills the height."""
    height, width, _ = picture.shape
    columns = numpy.nonzero((picture >= WHITE).all(axis=2))[1]
    if len(columns) < height * height / 40:
        return -1.0
    left = (width - height) / 2
    return float(((numpy.median(columns) - left) / height * SIDE - SIDE / 4) * 32 / SIDE)
