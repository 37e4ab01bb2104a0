"""The page over real sockets: what it shows, what it never lets through, what it says of itself."""

import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from protocols.web import Holder, Lock
from protocols.web.status_page import drawn
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ROOT, file_of, files, instance

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# htmx.org 4.0.1, dist/htmx.min.js and LICENSE, as npm gives them.
HTMX = {
    "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "htmx.LICENSE": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
}
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;",
    "a\u202egpj.exe\u2066b\u200f",
)
READ = Lock({"reads": Holder("reads", frozenset({"read"}))}.get)


class Parsed(HTMLParser):
    """Elements with their attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, attribute: str) -> list[str]:
        return [str(given[attribute]) for _, given in self.elements if attribute in given]


async def got(served: Served, path: str, **headers: str) -> Any:
    return await served.client.get(f"http://127.0.0.1:{served.port}/{path}", headers=headers)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_h60_what_a_file_says_is_text_and_nothing_else(hostile: str) -> None:
    made = instance(
        1, PatientName=hostile, PatientID=hostile[:60], StudyDescription=hostile, AccessionNumber=hostile[:16],
        SeriesDescription=hostile, ReferringPhysicianName=hostile,
    )  # fmt: skip

    async def check(served: Served) -> None:
        plain = Parsed((await got(served, "")).text)
        await served.archive.store(file_of(made))
        safe = drawn.shown.plain(hostile)
        for path in ("", "page/studies", f"page/studies/{ROOT}.1", f"?study={ROOT}.1"):
            answer = await got(served, path)
            page = Parsed(answer.text)
            assert safe.split("^")[0] in page.text, path
            assert hostile == safe or hostile not in answer.text
            assert not page.all("onerror") and not page.all("onmouseover") and not page.all("style")
            assert [tag for tag, _ in page.elements].count("script") in (
                0,
                [t for t, _ in plain.elements].count("script"),
            )
            assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", answer.text)
        for path in ("", "page/studies"):
            answer = await served.client.get(
                f"http://127.0.0.1:{served.port}/{path}", params={"q": hostile, "PatientID": hostile, "from": hostile}
            )
            page = Parsed(answer.text)
            assert answer.status_code == 200 and page.all("value")[0] == hostile
            assert not page.all("onerror") and not page.all("onmouseover")
        await served.archive.delete(StudyInstanceUID=f"{ROOT}.1")
        assert safe.split("^")[0] in Parsed((await got(served, "page/deleted")).text).text

    serving(check)


def test_a_file_that_says_next_to_nothing_is_shown_with_the_others() -> None:
    facts = ("PatientName", "PatientID", "StudyDate", "StudyTime", "AccessionNumber", "Modality", "StudyDescription")
    bare, full = instance(1), instance(2)
    for keyword in (*facts, "ReferringPhysicianName", "SeriesDescription", "SeriesNumber"):
        if keyword in bare:
            del bare[keyword]

    async def check(served: Served) -> None:
        await served.archive.store(file_of(bare))
        await served.archive.store(file_of(full))
        for path in ("", "page/studies", f"page/studies/{ROOT}.1", f"?study={ROOT}.1"):
            answer = await got(served, path)
            assert answer.status_code == 200 and "no name" in Parsed(answer.text).text, path
        await served.archive.delete(StudyInstanceUID=f"{ROOT}.1")
        assert "no name" in Parsed((await got(served, "page/deleted")).text).text

    serving(check)


def test_headers_keep_everything_else_out() -> None:
    async def check(served: Served) -> None:
        for path in ("", "page/studies", "page/tiles", "?view=deleted", "?view=jobs"):
            headers = (await got(served, path)).headers
            assert headers["content-security-policy"] == POLICY, path
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["content-type"] == "text/html; charset=utf-8"

    serving(check)


def test_nothing_of_a_page_is_against_its_own_policy() -> None:
    """No script and no style in it, no handler, nothing from elsewhere; every file that it names is there."""

    async def check(served: Served) -> None:
        for path in ("", "?view=deleted", "?view=jobs", f"?study={ROOT}.1"):
            page = Parsed((await got(served, path)).text)
            assert not [one for tag, given in page.elements for one in given if one.startswith("on") or one == "style"]
            assert all("src" in given for tag, given in page.elements if tag == "script")
            assert not [tag for tag, _ in page.elements if tag == "style"]
            named = page.all("src") + [str(given["href"]) for tag, given in page.elements if tag == "link"]
            assert len(named) == 5
            for name in named:
                assert (await got(served, name)).status_code == 200, name

    serving(check, *files(instance(1)))


def test_htmx_is_the_one_that_was_looked_at() -> None:
    for name, digest in HTMX.items():
        assert hashlib.sha256((drawn.HERE / "static" / name).read_bytes()).hexdigest() == digest


def test_without_a_token_nothing_of_the_archive_is_shown() -> None:
    async def check(served: Served) -> None:
        for path in ("", "?view=deleted", f"?study={ROOT}.1", "?q=Doe"):
            bare = await got(served, path)
            with_token = await got(served, path, Authorization="Bearer reads")
            assert bare.status_code == 200 and bare.text == with_token.text
            assert "Jane1" not in bare.text and "PID001" not in bare.text and "data-locked" in bare.text
        assert (await got(served, "page/files/page.js")).status_code == 200
        for part in ("studies", "tiles", "deleted", "jobs", f"studies/{ROOT}.1"):
            assert (await got(served, f"page/{part}")).status_code == 401
            assert (await got(served, f"page/{part}", Authorization="Bearer reads")).status_code == 200
        assert "Doe, Jane1" in (await got(served, "page/studies?q=jane", Authorization="Bearer reads")).text

    serving(check, *files(instance(1)), guard=READ)
