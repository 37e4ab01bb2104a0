"""The viewer's corner of our HTTP: what is there when it is laid down, and when it is not."""

import gzip
from pathlib import Path

import httpx
import pytest

from protocols.web import Holder, Lock, WebSettings
from protocols.web.viewer.installed import ALTERED
from tests.protocols.web.serving import Served, serving

INDEX = '<!doctype html><link href="./app.css"><script src="./app-config.js"></script>'
BUNDLE = b"console.log('viewer');" * 5000


def lay_down(folder: Path) -> WebSettings:
    folder.mkdir()
    (folder / "index.html").write_text(INDEX)
    (folder / "app.0f6159c501addfe9.js").write_bytes(BUNDLE)
    (folder / "app.0f6159c501addfe9.js.gz").write_bytes(gzip.compress(BUNDLE))
    (folder / "77ea6159c501addf.wasm").write_bytes(b"\0asm")
    (folder / ALTERED).write_text("app.0f6159c501addfe9.js\n")
    return WebSettings(viewer_folder=str(folder))


async def get(served: Served, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    return await served.client.request(method, f"http://127.0.0.1:{served.port}{path}", headers=headers)


def test_every_view_is_the_page_with_links_that_fit_its_depth(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        for path, base in (
            ("/ohif/", "./"),
            ("/ohif/viewer?StudyInstanceUIDs=1.2.3", "./"),
            ("/ohif/viewer/filmroom?StudyInstanceUIDs=1.2.3", "../"),
            ("/ohif/viewer/filmroom/", "../../"),
            ("/ohif/index.html", "./"),
        ):
            answer = await get(served, path)
            assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
            assert answer.text == INDEX.replace("./", base)
            assert answer.headers["cache-control"] == "no-cache"
            policy = answer.headers.get_list("content-security-policy")
            assert len(policy) == 1 and "default-src 'self'" in policy[0] and "'unsafe-inline'" not in policy[0][:99]

    serving(check, settings=lay_down(tmp_path / "ohif"))


def test_without_the_slash_it_leads_there_wherever_we_are(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        answer = await get(served, "/ohif")
        assert answer.status_code == 308
        assert httpx.URL("https://pacs.example/archive/ohif").join(answer.headers["location"]).path == "/archive/ohif/"

    serving(check, settings=lay_down(tmp_path / "ohif"))


def test_h55_files_cached_packed_and_only_those(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        bundle = await get(served, "/ohif/app.0f6159c501addfe9.js", **{"accept-encoding": "gzip"})
        assert bundle.content == BUNDLE and bundle.headers["content-encoding"] == "gzip"
        assert bundle.headers["cache-control"] == "no-cache"  # it was altered: its hash says nothing
        assert (await get(served, "/ohif/77ea6159c501addf.wasm")).headers["cache-control"].endswith("immutable")
        plain = await get(served, "/ohif/app.0f6159c501addfe9.js", **{"accept-encoding": "identity"})
        assert plain.content == BUNDLE and "content-encoding" not in plain.headers
        head = await get(served, "/ohif/app.0f6159c501addfe9.js", "HEAD", **{"accept-encoding": "identity"})
        assert head.headers["content-length"] == str(len(BUNDLE)) and not head.content
        known = await get(served, "/ohif/77ea6159c501addf.wasm", **{"if-none-match": '"x", *'})
        assert known.status_code == 304 and not known.content
        for path in (
            "absent.js", ALTERED, "app.0f6159c501addfe9.js.gz", "%2e%2e/secret.txt", "..%2fsecret.txt", "a//index.html",
            "%00.js", f"/{tmp_path}/secret.txt", "%2fetc/passwd.txt",
        ):  # fmt: skip
            answer = await get(served, f"/ohif/{path}")
            assert answer.status_code == 404 and "secret" not in answer.text, path
        assert (await get(served, "/ohif/app.0f6159c501addfe9.js", "POST")).status_code == 405

    (tmp_path / "secret.txt").write_text("secret")
    serving(check, settings=lay_down(tmp_path / "ohif"))


@pytest.mark.parametrize("path", ["/ohif/", "/ohif/viewer", "/ohif/app.js"])
def test_without_a_viewer_the_page_says_how_to_get_one(tmp_path: Path, path: str) -> None:
    async def check(served: Served) -> None:
        answer = await get(served, path)
        assert answer.status_code == 404 and "filmroom viewer install" in answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"

    serving(check)
    serving(check, settings=WebSettings(viewer_folder=str(tmp_path / "none")))
    (tmp_path / "half").mkdir()  # nobody has laid it down
    serving(check, settings=WebSettings(viewer_folder=str(tmp_path / "half")))


def test_a_running_node_sees_it_come_change_and_go(tmp_path: Path) -> None:
    folder = tmp_path / "ohif"

    async def check(served: Served) -> None:
        assert (await get(served, "/ohif/")).status_code == 404
        lay_down(folder)
        assert (await get(served, "/ohif/")).status_code == 200
        lay_down(tmp_path / "other")
        (tmp_path / "other" / "new.js").write_text("new")
        folder.rename(tmp_path / "old")
        (tmp_path / "other").rename(folder)
        assert (await get(served, "/ohif/new.js")).text == "new"
        folder.rename(tmp_path / "gone")
        assert (await get(served, "/ohif/new.js")).status_code == 404

    serving(check, settings=WebSettings(viewer_folder=str(folder)))


def test_pages_are_open_what_they_ask_for_is_not(tmp_path: Path) -> None:
    lock = Lock({"good": Holder("good", frozenset({"read"}))}.get)

    async def check(served: Served) -> None:
        assert (await get(served, "/ohif/viewer")).status_code == 200
        assert (await get(served, "/dicomweb/studies")).status_code == 401
        assert (await get(served, "/dicomweb/studies", Authorization="Bearer good")).status_code == 200

    serving(check, settings=lay_down(tmp_path / "ohif"), guard=lock)


def test_it_is_no_part_of_what_programs_are_told(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        assert not [path for path in (await get(served, "/openapi.json")).json()["paths"] if "ohif" in path]

    serving(check, settings=lay_down(tmp_path / "ohif"))
