"""The pictures of the README, made anew: ``python -m tests.browser.screenshots`` (``make screenshots``)."""

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from pydicom.dataset import Dataset

from filmroom.viewer import package
from tests.browser.conftest import FLAGS
from tests.browser.installed import CHROMIUM
from tests.browser.pictures import ct_study
from tests.filmroom.running import Node, run, start
from tests.protocols.web.studies import file_of, instance
from tests.tidy.reading import ROOT as REPOSITORY

FOLDER = REPOSITORY / "docs" / "images"
SIZE = {"width": 1200, "height": 720}
COLOURS_COUNT = 256  # enough for a page; a tenth of the bytes
PEOPLE = (
    ("Okafor^Amara", "ANC-2041", "CT", "Thorax with contrast", 20260714),
    ("Yamada^Tarou=山田^太郎", "ANC-1187", "MR", "Head, T1 and FLAIR", 20260713),
    ("Müller^Hans", "ANC-0932", "US", "Echocardiography", 20260713),
    ("Ångström^Åsa", "ANC-1610", "DX", "Chest PA and lateral", 20260712),
    ("Doe^Jane", "ANC-0001", "MR", "Knee, left", 20260711),
    ("Rossi^Giulia", "ANC-1873", "MG", "Screening", 20260711),
    ("Nowak^Piotr", "ANC-2210", "PT", "Whole body", 20260710),
    ("Haddad^Leila=حداد^ليلى", "ANC-0417", "CT", "Abdomen", 20260709),
)


def write(folder: Path) -> None:
    """Eight studies, one of them with images, one instance with two versions."""
    folder.mkdir()
    for at, (name, number, modality, description, day) in enumerate(PEOPLE, 1):
        facts: dict[str, Any] = {
            "PatientName": name, "PatientID": number, "StudyDescription": description, "StudyDate": str(day),
            "AccessionNumber": f"A{70411 + at * 37}",
        }  # fmt: skip
        made = ct_study(at, **facts) if at == 1 else others(at, Modality=modality, **facts)
        for image, one in enumerate(made):
            (folder / f"{at}-{image:03}.dcm").write_bytes(file_of(one))
    again = instance(5, 1, 1, Modality="MR", PatientName="Doe^Jane", PatientID="ANC-0001", PatientComments="corrected")
    (folder / "again.dcm").write_bytes(file_of(again))


def others(study: int, **facts: Any) -> list[Dataset]:
    """Two series of some instances."""
    return [instance(study, series, number, **facts) for series in (1, 2) for number in range(1, 5 + study * 3)]


def keep(page: Page, name: str) -> None:
    """What is seen, as a small picture."""
    seen = Image.open(BytesIO(page.screenshot())).convert("RGB")
    FOLDER.mkdir(exist_ok=True)
    seen.quantize(COLOURS_COUNT, Image.Quantize.MAXCOVERAGE).save(FOLDER / f"{name}.png", optimize=True)
    print(FOLDER / f"{name}.png", (FOLDER / f"{name}.png").stat().st_size)


def take(browser: Browser, node: Node) -> None:
    """The page by day and by night, and on a telephone."""
    base = f"http://{node.http[0]}:{node.http[1]}/"
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
        for text in ("doe", "chest", "CT"):
            httpx.get(f"{base}dicomweb/studies", params={"PatientName": text}, trust_env=False)
        page.goto(base)
        page.locator("#view tbody tr").first.wait_for()
        keep(page, f"page-{scheme}")
    page = browser.new_page(viewport={"width": 360, "height": 720})
    page.goto(f"{base}?q=okafor")
    page.locator("#view tbody tr").first.wait_for()
    keep(page, "page-narrow")


def main() -> None:
    """Into ``docs/images``."""
    home = package.folder().parent.parent
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write(Path(folder, "files"))
        done = run("import", Path(folder, "files"), "--store", Path(folder, "store"))
        assert done.returncode == 0, done.stderr
        with start(Path(folder, "store"), XDG_DATA_HOME=str(home)) as node:
            take(playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS)), node)


if __name__ == "__main__":
    main()
