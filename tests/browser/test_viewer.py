"""The OHIF viewer in a real Chromium, served by a real node: what it asks is answered, and what was asked for is seen.

"Seen" is read from the screen: the pictures hold a disc whose place tells which of them it is.
"""

import re
from pathlib import Path
from typing import Any

import httpx
import numpy
from playwright.sync_api import Route

from tests.browser import pictures
from tests.browser.window import Picture, Window, is_picture, picture_of
from tests.filmroom.running import Node
from tests.protocols.web.studies import ROOT, file_of

ALL = {"Doe, Jane", "Yamada, Tarou", "Müller, Hans", "Doe, Jane4", "Doe, Jane5", "Doe, Jane6"}
WIDE = {"width": 1900, "height": 900}  # with all columns


def names(window: Window) -> set[str]:
    """The patients of the list."""
    rows: list[str] = window.evaluate("[...document.querySelectorAll('tr:not(:has(input))')].map(row => row.innerText)")
    return {row.strip().split("\n")[0] for row in rows[1:]} - {"No studies available"}


def listed(window: Window, expected: set[str]) -> None:
    window.until(lambda: names(window) == expected, f"the list of {expected}")


def all_answered(window: Window) -> None:
    assert window.answers and {one.status for one in window.answers} <= {200, 204, 206, 304, 308}


def test_o01_the_list(window: Window) -> None:
    window.open("")
    listed(window, ALL)
    (asked,) = window.asked("/dicomweb/studies")
    assert "limit=101&offset=0&fuzzymatching=true&includefield=00081030%2C00080060" in asked.path
    row = window.page.get_by_role("row").filter(has_text="Yamada").inner_text()
    assert "15-Mar-2024" in row and "MR" in row and "Head" in row and "12" in row
    all_answered(window)


# Which of the list's fields, what is put there, what the viewer asks then, whose studies are shown.
FILTERS = (
    ("patient", "yamada", "PatientName=*yamada*", {"Yamada, Tarou"}),
    ("patient", "MÜLLER", "PatientName=*M%C3%9CLLER*", {"Müller, Hans"}),
    ("mrn", "ANC001", "00100020=*ANC001*", {"Doe, Jane"}),
    ("accession", "CC3", "AccessionNumber=*CC3*", {"Müller, Hans"}),
    ("description", "cine", "StudyDescription=*cine*", {"Müller, Hans"}),
    ("modality", "US", "ModalitiesInStudy=US", {"Müller, Hans"}),
    ("modality", "CT,MR", "ModalitiesInStudy=CT%2CMR", {"Doe, Jane", "Yamada, Tarou"}),
    ("dates", "2024-02-01 2024-03-31", "StudyDate=20240201-20240331", {"Doe, Jane", "Yamada, Tarou"}),
)
FIELDS = ("patient", "mrn", "start", "end", "modality", "description", "accession")


def test_o02_each_filter_of_the_list(window: Window) -> None:
    window.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    window.open("")
    listed(window, ALL)
    for field, text, parameter, expected in FILTERS:
        put(window, field, text)
        window.until(lambda part=parameter: window.asked(part), parameter)
        listed(window, expected)
        window.page.keyboard.press("Escape")
        window.page.get_by_label("Reset filters").click()
        listed(window, ALL)
    all_answered(window)


def put(window: Window, field: str, text: str) -> None:
    """Fill in a filter."""
    if field == "dates":
        for name, date in zip(("start", "end"), text.split(), strict=True):
            window.page.locator(f"#studyDateTime-{name}").fill(date)
            window.page.keyboard.press("Enter")
    elif field == "modality":
        choose_modalities(window, text.split(","))
    else:
        window.page.locator("table input").nth(FIELDS.index(field)).fill(text)


def choose_modalities(window: Window, names: list[str]) -> None:
    """Choose one after the other. The viewer offers those of the studies that it lists: what it asks when the first is
    chosen is held back until the last is, or the others would be gone."""
    held: list[Route] = []
    asked_too_early = re.compile("ModalitiesInStudy=" + "%2C".join(names[:-1]) + "&")
    if names[:-1]:
        window.page.route(asked_too_early, lambda route: held.append(route))
    choice = window.page.locator('[aria-label="Filter Modalities"]')
    for name in names:
        choice.click()
        choice.fill(name)
        window.page.get_by_role("option", name=name, exact=True).click()
    if names[:-1]:
        window.page.unroute(asked_too_early)
    for route in held:
        route.continue_()


def test_o03_o04_o05_o06_o07_a_ct_study_from_the_list(window: Window) -> None:
    window.open("")
    window.page.get_by_role("row").filter(has_text="Chest").dblclick()
    window.slice_shown(9)
    assert f"/ohif/viewer?StudyInstanceUIDs={ROOT}.1" in window.page.url
    study = f"/dicomweb/studies/{ROOT}.1"
    assert window.asked(f"StudyInstanceUID={ROOT}.1") and window.asked("00100020=ANC001")
    assert window.asked(f"{study}/series?includefield=00080021%2C00080031%2C0008103E%2C00200011")
    assert len(window.asked("/metadata")) == 4  # of the images, and of three that say something of them
    frames = window.asked("/frames/1")
    assert {one.accept for one in frames} == {"multipart/related; type=application/octet-stream; transfer-syntax=*"}
    window.pane.hover()
    for _ in range(4):
        window.page.mouse.wheel(0, 100)
    window.slice_shown(5)
    all_answered(window)


def test_o07_mr_in_four_transfer_syntaxes(window: Window) -> None:
    """Each as it is stored: the browser unfolds it."""
    window.open_study(f"{ROOT}.2")
    for series, syntax in enumerate(pictures.SYNTAXES, 1):
        window.open_series(series)
        window.slice_shown(2 + series)
        first = f"{ROOT}.2.{series}/instances/{ROOT}.2.{series}.3/frames/1"
        window.until(lambda path=first: window.asked(path), f"a frame in {syntax}")
    assert all("multipart/related" in one.headers["content-type"] for one in window.asked("/frames/1"))
    all_answered(window)


def test_o07_a_cine_in_colour_runs(window: Window) -> None:
    picture = window.open_study(f"{ROOT}.3")
    red, green, blue = (picture[..., at] for at in range(3))
    assert ((red > 180) & (green < 130) & (blue < 130)).mean() > 0.02
    assert ((green > 150) & (red < 130) & (blue < 130)).mean() > 0.02
    window.until(lambda: window.asked("/frames/12"), "the last frame")

    def place_of_red() -> float:
        shown = window.picture()
        return float(numpy.nonzero((shown[..., 0] > 180) & (shown[..., 1] < 130))[1].mean())

    first = place_of_red()
    window.page.locator('[data-cy="cine-player-play-pause"]').first.click()
    window.until(lambda: abs(place_of_red() - first) > 15, "another frame")
    all_answered(window)


def test_o11_a_report_as_pdf(window: Window) -> None:
    """What the browser's own reader draws: black on white, and the red field."""
    window.open(f"viewer?StudyInstanceUIDs={ROOT}.4")
    window.pane.wait_for()

    def red() -> float:
        shown = window.picture()
        return float(((shown[..., 0] > 240) & (shown[..., 1] < 20) & (shown[..., 2] < 20)).mean())

    window.until(lambda: red() > 0.03, "the red field of the page")
    address = window.evaluate("document.querySelector('object').data")
    assert address.endswith(f"{ROOT}.4.1.1/rendered")
    assert httpx.get(address).headers["content-type"] == "application/pdf"
    all_answered(window)


def test_o10_an_ecg(window: Window) -> None:
    """Twelve curves, from bulk data that metadata link."""
    window.open_study(f"{ROOT}.5")
    (asked,) = window.asked("/bulkdata/")
    assert asked.status == 200
    labels = window.shown(lambda picture: ((picture[..., 0] > 200) & (picture[..., 2] < 60)).mean() > 0.001)
    curves = (labels.min(axis=2) > 150).any(axis=1)
    assert curves.sum() > labels.shape[0] / 5  # rows that a curve passes through
    all_answered(window)


def greens(picture: Picture) -> float:
    """How much of it is clearly green."""
    red, green, blue = (picture[..., at] for at in range(3))
    return float(((green > 120) & (green - red > 60) & (green - blue > 60)).mean())


def coloured(picture: Picture) -> float:
    """How much of the middle is no grey."""
    height, width, _ = picture.shape
    middle = picture[height // 4 : -height // 4, width // 4 : -width // 4]
    return float(((middle.max(axis=2) - middle.min(axis=2)) > 25).mean())


def test_o09_a_segmentation(window: Window) -> None:
    window.open_study(f"{ROOT}.1")
    before = coloured(window.slice_shown(9))
    window.open_series(20)
    window.shown(lambda picture: coloured(picture) > before + 0.1)  # the disc, tinted
    assert window.asked(f"{ROOT}.1.20/instances/{ROOT}.1.20.1")
    all_answered(window)


def test_o09_structures_of_a_radiotherapy_plan(window: Window) -> None:
    window.open_study(f"{ROOT}.1")
    before = greens(window.slice_shown(9))
    window.open_series(40)
    window.shown(lambda picture: greens(picture) > before + 0.002)  # the contour
    assert window.asked(f"{ROOT}.1.40")
    all_answered(window)


def test_o09_measurements_of_a_structured_report(window: Window) -> None:
    window.open_study(f"{ROOT}.1")
    window.open_series(30)
    window.shown(lambda picture: greens(picture) > 0.0005)  # the line
    window.page.locator("text=60.00 mm").first.wait_for(state="attached")
    all_answered(window)


def test_o08_tiles_of_a_slide(window: Window) -> None:
    window.open(f"microscopy?StudyInstanceUIDs={ROOT}.6")
    window.shown(lambda picture: greens(picture) > 0.02)
    frames = window.until(lambda: window.asked("/frames/"), "tiles")
    assert len(frames) >= 4 and all(len(one.accept) > 400 and "image/jls" in one.accept for one in frames)
    all_answered(window)


def test_o14_a_measurement_is_drawn_saved_and_listed_at_once(window: Window, archive: Node) -> None:
    window.open_study(f"{ROOT}.1")
    window.slice_shown(9)
    window.page.locator('[data-cy="Length-btn"]').click()
    box = window.pane.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5
    window.page.mouse.move(x, y)
    window.page.mouse.down()
    window.page.mouse.move(x + 200, y + 60, steps=8)
    window.page.mouse.up()
    window.page.get_by_text("Track measurements for this series?").wait_for()
    window.page.get_by_role("button", name="Yes", exact=True).click()
    window.page.locator('[data-cy="trackedMeasurements-btn"]').click()
    window.page.get_by_role("button", name="Create SR").click()
    window.page.get_by_role("dialog").locator("input").first.fill("Saved by a test")
    window.page.get_by_role("button", name="Save", exact=True).click()
    (stored,) = window.until(lambda: window.asked("/dicomweb/studies", "POST"), "the report")
    assert stored.status == 200
    window.page.locator('[data-cy="study-browser-thumbnail-no-image"]').filter(has_text="Saved by a test").wait_for()
    window.open("")
    row = window.page.get_by_role("row").filter(has_text="Chest")
    window.until(lambda: re.search(r"\b14\b", row.inner_text()), "fourteen instances")
    all_answered(window)


def test_o14_an_upload_is_listed_at_once(window: Window, tmp_path: Path) -> None:
    file = tmp_path / "new.dcm"
    made = pictures.ct_study(7, PatientName="Uploaded^Ursula", StudyDescription="Uploaded")
    file.write_bytes(file_of(made[0]))
    window.open("")
    window.page.get_by_role("button", name="Upload").click()
    window.page.locator('input[type="file"]').first.set_input_files(file)
    (stored,) = window.until(lambda: window.asked("/dicomweb/studies", "POST"), "the upload")
    assert stored.status == 200
    window.open("")
    window.page.get_by_role("row").filter(has_text="Uploaded, Ursula").wait_for()
    window.open_study(made[0].StudyInstanceUID)
    window.slice_shown(0)
    all_answered(window)


def changed_settings(window: Window, **changes: Any) -> None:
    """The viewer reads its settings with these in place of ours."""

    def answer(route: Any) -> None:
        text = route.fetch().text()
        for name, value in changes.items():
            text, count = re.subn(rf"\b{name}: [^,]+(?=,)", f"{name}: {value}", text)
            assert count == 1, name
        route.fulfill(body=text, content_type="text/javascript")

    window.page.route("**/app-config.js", answer)


def test_o12_thumbnails(window: Window) -> None:
    changed_settings(window, thumbnailRendering="'rendered'")
    window.open_study(f"{ROOT}.1")
    drawn = window.page.locator('[data-cy="study-browser-thumbnail"] img').first
    drawn.wait_for()
    window.until(lambda: is_picture(picture_of(drawn.screenshot())), "a small picture")
    assert window.asked("/rendered?") or window.asked("/rendered")
    all_answered(window)


def test_o13_objects_by_wado_uri(window: Window) -> None:
    changed_settings(window, imageRendering="'wadouri'")
    window.open_study(f"{ROOT}.1")
    window.slice_shown(9)
    assert {one.status for one in window.asked("/wado?requestType=WADO&studyUID=")} == {200}
    all_answered(window)
