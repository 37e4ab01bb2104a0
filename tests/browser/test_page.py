"""The status page in a real browser: what people do with it, in light and dark, wide and narrow, by hand and keys."""

from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from tests.browser.window import SECONDS_MAX, Window
from tests.filmroom.running import Node, run, start
from tests.protocols.web.studies import ROOT, file_of, instance

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
NARROW, WIDE = {"width": 360, "height": 780}, {"width": 1280, "height": 800}
SINK = "SINK"
VIEWS = ("", "?view=deleted", "?view=jobs", f"?study={ROOT}.1", "?q=doe")


def write(folder: Path) -> None:
    """Thirty studies, of which the first is a CT of another name."""
    folder.mkdir()
    for number in range(1, 31):
        names = {"PatientName": "Smith^Adam", "StudyDescription": "Chest CT"} if number == 1 else {"Modality": "MR"}
        (folder / f"{number}.dcm").write_bytes(file_of(instance(number, **names)))


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """An empty node: what is sent to."""
    with start(tmp_path_factory.mktemp("sink") / "store", "--ae-title", SINK) as node:
        yield node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, sink: Node) -> Iterator[Node]:
    """A node with thirty studies that knows the other one."""
    folder = tmp_path_factory.mktemp("page")
    write(folder / "files")
    for words in (("import", folder / "files"), ("aet", "add", SINK, ":".join(map(str, sink.dicom)))):
        done = run(*words, "--store", folder / "store")
        assert done.returncode == 0, done.stderr
    with start(folder / "store") as running:
        yield running


@pytest.fixture
def page(browser: Browser, node: Node) -> Iterator[Window]:
    """A window on its page; what the browser complains of (the policy among it) fails the test."""
    yield from window_on(browser, node)


def window_on(browser: Browser, node: Node, **how: object) -> Iterator[Window]:
    context = browser.new_context(**({"viewport": WIDE} | how))  # type: ignore[arg-type]
    seen = Window(context.new_page(), base_of(node))
    yield seen
    context.close()
    assert not seen.complaints


def base_of(node: Node) -> str:
    return f"http://{node.http[0]}:{node.http[1]}/"


def rows(window: Window) -> Locator:
    return window.page.locator("#view tbody tr")


expect.set_options(timeout=SECONDS_MAX * 1000)  # the page looks every 5 s; its own bound would be as long


def found(window: Window, count: int) -> None:
    expect(window.page.locator(".sum b")).to_have_text(str(count))


def studies_in(node: Node) -> set[str]:
    answer = httpx.get(f"{base_of(node)}dicomweb/studies", params={"limit": "100"}, trust_env=False)
    return {one["0020000D"]["Value"][0] for one in answer.json()}


def test_studies_are_listed_paged_and_ordered(page: Window) -> None:
    page.open("")
    found(page, 30)
    expect(rows(page)).to_have_count(25)
    page.page.get_by_role("link", name="Next ›").click()
    expect(rows(page)).to_have_count(5)
    assert page.page.url.endswith("?page=2")
    page.page.go_back()
    expect(rows(page)).to_have_count(25)
    page.page.get_by_role("columnheader", name="ID").get_by_role("link").click()
    expect(rows(page).first).to_contain_text("PID001")
    page.page.get_by_role("columnheader", name="ID").get_by_role("link").click()
    expect(rows(page).first).to_contain_text("PID030")
    page.page.reload()
    expect(rows(page).first).to_contain_text("PID030")


def test_one_box_finds_by_name_number_description_and_uid(page: Window) -> None:
    page.open("")
    for text, count, by in (
        ("adam smith", 1, "name"),
        ("PID007", 1, "patient ID"),
        ("acc12", 1, "accession number"),
        ("chest", 1, "description"),
        (f"{ROOT}.3", 1, "study"),
        (f"{ROOT}.4.1.1", 1, "instance"),
        ("nobody", 0, "name"),
    ):
        page.page.get_by_role("searchbox").fill(text)
        expect(page.page.locator(".chip[aria-current]")).to_contain_text(by)
        found(page, count)
        expect(page.page.get_by_role("searchbox")).to_be_focused()
        expect(page.page.get_by_role("searchbox")).to_have_value(text)
    page.page.get_by_role("link", name="clear search").click()
    found(page, 30)


def test_every_filter_narrows(page: Window) -> None:
    page.open("")
    page.page.get_by_text("More filters").click()
    for label, text, count in (
        ("Patient name", "smith", 1),
        ("Patient ID", "PID00", 9),
        ("Accession number", "ACC2", 11),
        ("Description", "Study 3", 2),
        ("Referring physician", "rita", 30),
    ):
        field = page.page.get_by_label(label, exact=True)
        field.fill(text)
        found(page, count)
        expect(field).to_be_visible()
        field.fill("")
        found(page, 30)
    page.page.get_by_label("Modality").select_option("CT")
    found(page, 1)
    page.page.get_by_label("Modality").select_option("")
    page.page.get_by_label("From").fill("2024-06-01")
    page.page.get_by_label("to", exact=True).fill("2024-06-30")
    found(page, 3)
    assert "from=2024-06-01" in page.page.url
    page.page.reload()
    found(page, 3)


def test_files_and_folders_are_stored_and_each_is_told_of(page: Window, tmp_path: Path, node: Node) -> None:
    made = [(f"{number}.dcm", file_of(instance(number))) for number in (41, 42)]
    other = file_of(instance(41, PatientComments="other content under the same UID"))
    (tmp_path / "scan" / "inner").mkdir(parents=True)
    for name, data in (*made, ("inner/again.dcm", other), ("note.txt", b"no DICOM at all")):
        (tmp_path / "scan" / name).write_bytes(data)
    page.open("")
    page.page.locator("#folder").set_input_files(tmp_path / "scan")
    expect(page.page.locator("#upload-sum")).to_have_text(
        "4 of 4 files · 3 stored · 1 of them with a remark · 1 not stored"
    )
    said = {line.split(" ")[0]: line for line in page.page.locator("#upload-list li").all_inner_texts()}
    assert len(said) == 4
    text = "\n".join(said.values())
    assert "note.txt" in text and "kept as a version" in text and text.count("stored") >= 2
    found(page, 32)
    assert {f"{ROOT}.41", f"{ROOT}.42"} <= studies_in(node)
    page.complaints = [one for one in page.complaints if not one.startswith(("409 POST", "400 POST", "Failed to load"))]


def test_a_dropped_folder_is_stored(page: Window, tmp_path: Path, node: Node) -> None:
    """Dragged from the desktop, as the browser sees that."""
    (tmp_path / "scan" / "inner").mkdir(parents=True)
    (tmp_path / "scan" / "one.dcm").write_bytes(file_of(instance(43)))
    (tmp_path / "scan" / "inner" / "two.dcm").write_bytes(file_of(instance(43, number=2)))
    page.open("")
    page.page.locator("#drop").scroll_into_view_if_needed()
    box = page.page.locator("#drop").bounding_box()
    assert box is not None
    protocol = page.page.context.new_cdp_session(page.page)
    data = {"items": [], "files": [str(tmp_path / "scan")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        if kind == "drop":
            expect(page.page.locator("#drop")).to_have_class("drop over")
        place = {"x": box["x"] + 20, "y": box["y"] + 10}
        protocol.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    expect(page.page.locator("#upload-sum")).to_have_text("2 of 2 files · 2 stored")
    expect(page.page.locator("#upload-list")).to_contain_text("scan/inner/two.dcm")
    assert f"{ROOT}.43" in studies_in(node)


def test_deleted_and_restored(page: Window, node: Node) -> None:
    page.open("?q=PID002")
    page.page.get_by_role("link", name="Details of study of Doe, Jane2").click()
    page.page.get_by_role("button", name="Delete").click()
    asked = page.page.locator("#ask")
    expect(asked).to_contain_text("Doe, Jane2")
    expect(asked).to_contain_text("restored for 30 days")
    asked.get_by_role("button", name="Cancel").click()
    assert f"{ROOT}.2" in studies_in(node)
    page.page.get_by_role("button", name="Delete").click()
    asked.get_by_role("button", name="Delete").click()
    expect(page.page.locator("#toasts")).to_contain_text("Deleted the study of Doe, Jane2")
    found(page, 0)
    assert f"{ROOT}.2" not in studies_in(node)
    page.page.get_by_role("navigation", name="Views").get_by_role("link", name="Deleted").click()
    expect(rows(page).first).to_contain_text("Doe, Jane2")
    page.page.get_by_role("button", name="Restore study of Doe, Jane2").click()
    expect(page.page.locator("#view")).to_contain_text("Nothing is deleted")
    assert f"{ROOT}.2" in studies_in(node)


def test_a_version_is_promoted(page: Window, node: Node) -> None:
    for name in ("First", "Second"):
        made = file_of(instance(44, StudyDescription=name))
        headers = {"Content-Type": "application/dicom"}
        httpx.post(f"{base_of(node)}dicomweb/studies", content=made, headers=headers, trust_env=False)
    page.open(f"?q={ROOT}.44")
    expect(rows(page).first).to_contain_text("1 with versions")
    expect(rows(page).first).to_contain_text("First")
    page.page.get_by_role("link", name="Details").click()
    page.page.get_by_role("button", name="Promote the version").click()
    page.page.locator("#ask").get_by_role("button", name="Promote").click()
    expect(page.page.locator("#toasts")).to_contain_text("Promoted")
    expect(page.page.locator("#sheet .facts")).to_contain_text("Second")
    page.page.keyboard.press("Escape")
    expect(rows(page).first).to_contain_text("Second")


def test_a_study_is_sent_and_the_job_is_told_of(page: Window, sink: Node) -> None:
    page.open("?q=PID005")
    page.page.get_by_role("link", name="Send study of Doe, Jane5").click()
    expect(page.page.locator("#destination")).to_be_focused()
    page.page.locator("[data-send]").get_by_role("button", name="Send").click()
    expect(page.page.locator("#toasts")).to_contain_text(f"Sent 1 to {SINK}, all of it")
    assert studies_in(sink) == {f"{ROOT}.5"}
    page.open("?view=jobs")
    expect(rows(page).first).to_contain_text(f"send to {SINK}")
    expect(rows(page).first).to_contain_text("done")


def test_what_others_store_shows_by_itself(page: Window, node: Node) -> None:
    page.open("?q=PID045")
    found(page, 0)
    page.page.locator("#view").click(position={"x": 5, "y": 5})
    made, headers = file_of(instance(45)), {"Content-Type": "application/dicom"}
    httpx.post(f"{base_of(node)}dicomweb/studies", content=made, headers=headers, trust_env=False)
    found(page, 1)


def test_an_empty_archive_tells_how_to_send_to_it(browser: Browser, tmp_path: Path) -> None:
    with start(tmp_path / "store", "--ae-title", "ROOM1") as node:
        for seen in window_on(browser, node):
            seen.open("")
            text = seen.page.locator(".empty").inner_text()
            host, port = node.dicom
            assert f"storescu -aec ROOM1 {host} {port} +sd +r FOLDER" in text
            assert f"--data-binary @image.dcm {base_of(node)}dicomweb/studies" in text
            assert "filmroom import FOLDER" in text
            data = file_of(instance(1))
            chosen = {"name": "first.dcm", "mimeType": "application/dicom", "buffer": data}
            seen.page.locator("#files").set_input_files(chosen)  # type: ignore[arg-type]
            expect(rows(seen)).to_have_count(1)


def test_keys_are_enough(page: Window) -> None:
    page.open("")
    page.page.keyboard.press("Tab")
    expect(page.page.locator(".skip")).to_be_focused()
    page.page.keyboard.press("/")
    expect(page.page.get_by_role("searchbox")).to_be_focused()
    page.page.keyboard.type("adam/")
    expect(page.page.get_by_role("searchbox")).to_have_value("adam/")
    page.page.keyboard.press("Escape")
    expect(page.page.get_by_role("searchbox")).to_have_value("")
    page.page.keyboard.press("/")
    page.page.keyboard.type("adam")
    found(page, 1)
    page.page.get_by_role("link", name="Details of study of Smith, Adam").focus()
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_role("button", name="Close")).to_be_focused()
    page.page.keyboard.press("Escape")
    expect(page.page.locator("#sheet")).to_be_hidden()
    expect(page.page.get_by_role("link", name="Details of study of Smith, Adam")).to_be_focused()


def test_view_opens_the_viewer_on_the_study(context: BrowserContext, archive: Node) -> None:
    seen = Window(context.new_page(), base_of(archive))
    seen.open("?q=jane")
    expect(seen.page.locator(".hint")).to_have_count(0)
    seen.page.get_by_role("link", name="View study of Doe, Jane").first.click()
    seen.shown()
    assert f"/ohif/viewer?StudyInstanceUIDs={ROOT}." in seen.page.url
    seen.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(browser: Browser, node: Node, scheme: str) -> None:
    """axe-core finds nothing to complain of (WCAG A and AA, best practices), wide and narrow; nothing is cut off."""
    for viewport in (WIDE, NARROW):
        for seen in window_on(browser, node, viewport=viewport, color_scheme=scheme):
            for path in VIEWS:
                seen.open(path)
                seen.page.locator("#view").wait_for()
                assert flaws(seen) == [], (path, viewport)
                width = seen.page.evaluate("document.documentElement.scrollWidth")
                assert width <= viewport["width"], path
            seen.open("?q=PID007")
            seen.page.get_by_role("link", name="Details").click()
            seen.page.locator("#sheet[open]").wait_for()
            assert flaws(seen) == []


def flaws(window: Window) -> list[str]:
    window.page.evaluate(AXE)
    result = window.page.evaluate("axe.run()")
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in result["violations"]]


def test_it_reads_without_scripts(browser: Browser, node: Node) -> None:
    for seen in window_on(browser, node, java_script_enabled=False):
        seen.open("")
        seen.page.get_by_role("searchbox").fill("adam")
        seen.page.get_by_role("button", name="Search").click()
        found(seen, 1)
        seen.page.get_by_role("link", name="Details").click()
        expect(seen.page.locator("#view")).to_contain_text("Chest CT")


def test_a_token_is_asked_for_kept_in_the_tab_and_forgotten(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(file_of(instance(1)))
    assert run("import", tmp_path / "one.dcm", "--store", tmp_path / "store").returncode == 0
    token = run("token", "new", "reader", "--scope", "read", "--store", tmp_path / "store").stdout.split()[-1]
    with start(tmp_path / "store", FILMROOM_SERVE_TOKENS="required") as node:
        for seen in window_on(browser, node):
            seen.open("")
            field = seen.page.locator("#token")
            expect(field).to_be_focused()
            assert "Doe" not in seen.page.content()
            field.fill("not this one")
            field.press("Enter")
            expect(seen.page.locator("#sign-in-trouble")).to_contain_text("not known")
            field.fill(token)
            field.press("Enter")
            found(seen, 1)
            expect(seen.page.locator("#figures")).to_contain_text("ready")
            seen.page.reload()
            found(seen, 1)
            seen.page.get_by_role("link", name="Details").click()
            seen.page.get_by_role("button", name="Delete").click()
            seen.page.locator("#ask").get_by_role("button", name="Delete").click()
            expect(seen.page.locator("#toasts")).to_contain_text("lacks the scope delete")
            seen.page.keyboard.press("Escape")
            seen.page.get_by_role("button", name="Forget token").click()
            expect(field).to_be_focused()
            seen.complaints = [one for one in seen.complaints if not one.startswith(("401 ", "403 ", "Failed to load"))]
