"""From the demo's own link to an image on the screen, and the picture of it that the README shows."""

import signal
import subprocess
from pathlib import Path

from playwright.sync_api import BrowserContext

from tests.browser.window import Window
from tests.filmroom.running import ENVIRONMENT
from tests.filmroom.test_demo import DEMO, lines_until_ready
from tests.tidy.reading import ROOT

PICTURE = ROOT / "build" / "screenshots" / "viewer.png"  # kept as docs/images/viewer.png


def test_the_link_of_the_demo_shows_its_study(context: BrowserContext, viewer_data: Path) -> None:
    environment = ENVIRONMENT | {"XDG_DATA_HOME": str(viewer_data)}
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, env=environment, text=True) as demo:
        try:
            (link,) = (line.split()[1] for line in lines_until_ready(demo) if line.startswith("study "))
            window = Window(context.new_page(), link)
            window.open("")
            first = window.shown()
            window.pane.hover()
            for _ in range(4):
                window.page.mouse.wheel(0, 100)
            window.until(lambda: bool(abs(window.picture() - first).mean() > 5), "another slice")
            window.page.mouse.move(0, 0)
            PICTURE.parent.mkdir(parents=True, exist_ok=True)
            window.page.screenshot(path=PICTURE)
            window.page.close()
            assert not window.complaints
        finally:
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0
