"""One real browser and one archive for all of these tests, where Chromium and the viewer are installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.browser import documents, installed, pictures
from tests.browser.window import Window
from tests.filmroom.running import Node, run, start
from tests.protocols.web.studies import file_of

# WebGL without a GPU, and nothing that a browser does on its own.
FLAGS = (
    "--no-sandbox", "--enable-unsafe-swiftshader", "--use-gl=angle", "--use-angle=swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
# A new profile would be shown around and warned first.
_SETTLED = """try {
  localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']));
  localStorage.setItem('investigationalUseDialog', JSON.stringify({expiryDate: '2999-01-01'}));
} catch {}"""


@pytest.fixture(scope="session")
def viewer_data() -> Path:
    """The data folder in which the viewer is."""
    return installed.viewer()


@pytest.fixture(scope="module")  # while it is open, nothing else may run a loop of asyncio in this process
def browser() -> Iterator[Browser]:
    """Chromium, driven by Playwright."""
    program = str(installed.chromium())
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=program, args=list(FLAGS), ignore_default_args=["--disable-gpu"]
        )


@pytest.fixture(scope="session")
def archive(viewer_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with a study of each kind; pages of every origin may ask it."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "files").mkdir()
    for number, (made, syntax) in enumerate(everything()):
        (folder / "files" / f"{number:03}.dcm").write_bytes(file_of(made, syntax))
    done = run("import", folder / "files", "--store", folder / "store")
    assert done.returncode == 0, done.stderr
    environment = {"XDG_DATA_HOME": str(viewer_data), "FILMROOM_SERVE_CORS_ORIGINS": "*"}
    with start(folder / "store", **environment) as node:
        yield node


def everything() -> Iterator[tuple[Dataset, str]]:
    """Six studies: CT with what is said of it, MR, cine, report, ECG, slide."""
    chest = pictures.ct_study(1, PatientName="Doe^Jane", PatientID="ANC001", StudyDescription="Chest")
    heads = pictures.mr_study(2, PatientName="Yamada^Tarou=山田^太郎", StudyDescription="Head")
    loop, syntax = pictures.cine(3, PatientName="Müller^Hans", StudyDescription="Heart cine")
    plain = [
        *chest,
        documents.segmentation(chest),
        documents.measurements(chest),
        documents.contours(chest),
        documents.report(4),
        documents.ecg(5),
        *pictures.slide(6),
    ]
    yield from [*((made, str(ExplicitVRLittleEndian)) for made in plain), *heads, (loop, syntax)]


@pytest.fixture(scope="module")
def context(browser: Browser) -> BrowserContext:
    """One profile: what it has fetched of the viewer, it keeps."""
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    made.add_init_script(_SETTLED)
    return made


@pytest.fixture
def window(context: BrowserContext, archive: Node) -> Iterator[Window]:
    """A new window; what it complains of fails the test."""
    seen = Window(context.new_page(), f"http://{archive.http[0]}:{archive.http[1]}/ohif/")
    yield seen
    seen.page.close()
    assert not seen.complaints
