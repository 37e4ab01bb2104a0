"""Files of the program: what is served of a folder, how it is cached and packed, and that nothing else is reached."""

import gzip
import os
from pathlib import Path

import pytest
import trio

from protocols.web import static_files
from protocols.web.messages import Body, Reply, Request, Stretch
from protocols.web.patience import Patience

HASHED = "app.0f6159c501addfe9.js"


async def nothing() -> bytes:
    return b""


def ask(file: static_files.StaticFile, **headers: str) -> Reply:
    request = Request(
        method="GET",
        path="/",
        body=Body(nothing, Patience(30.0, 1)),
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )
    return trio.run(static_files.reply, request, file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "site"
    (made / "deep").mkdir(parents=True)
    (made / HASHED).write_bytes(b"let it = 1;" * 10_000)
    (made / f"{HASHED}.gz").write_bytes(gzip.compress(b"let it = 1;" * 10_000))
    (made / "deep" / "page.html").write_text("<p>hello")
    (made / "alone.gz").write_bytes(b"not another's")
    return made


def test_each_file_by_its_path_within_and_packed_ones_beside_theirs(folder: Path) -> None:
    files = static_files.files_below(folder)
    assert set(files) == {HASHED, "deep/page.html", "alone.gz"}
    assert files["deep/page.html"].content_type == "text/html; charset=utf-8"
    assert files[HASHED].content_type == "text/javascript; charset=utf-8"


def test_links_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "door").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")  # would never end
    assert not {"link", "door", "door/secret", "pipe"} & set(static_files.files_below(folder))


def test_a_hashed_name_is_kept_for_ever_others_are_asked_again(folder: Path) -> None:
    files = static_files.files_below(folder)
    assert ask(files[HASHED]).header("Cache-Control") == static_files.FOREVER
    assert ask(files["deep/page.html"]).header("Cache-Control") == "no-cache"
    altered = static_files.files_below(folder, changing=frozenset({HASHED}))
    assert ask(altered[HASHED]).header("Cache-Control") == "no-cache"


def test_who_has_it_is_told_so_until_it_changes(folder: Path) -> None:
    page = static_files.files_below(folder)["deep/page.html"]
    first = ask(page)
    assert (first.status, first.body) == (200, b"<p>hello")
    assert ask(page, if_none_match=first.header("ETag")).status == 304
    (folder / "deep" / "page.html").write_text("<p>other")
    again = static_files.files_below(folder)["deep/page.html"]
    assert ask(again, if_none_match=first.header("ETag")).status == 200


def test_packed_for_who_takes_that(folder: Path) -> None:
    file = static_files.files_below(folder)[HASHED]
    packed, plain = ask(file, accept_encoding="br, gzip"), ask(file)
    assert packed.header("Content-Encoding") == "gzip" and isinstance(packed.body, bytes)
    assert gzip.decompress(packed.body) == b"let it = 1;" * 10_000
    assert plain.header("Content-Encoding") == "" and plain.header("Content-Length") == "110000"
    assert plain.header("Vary") == packed.header("Vary") == "Accept-Encoding"
    assert plain.header("ETag") == packed.header("ETag")


def test_a_large_file_comes_in_pieces(folder: Path) -> None:
    reply = ask(static_files.files_below(folder)[HASHED])

    async def whole() -> bytes:
        assert not isinstance(reply.body, bytes)
        return b"".join([bytes(p) async for s in reply.body if isinstance(s, Stretch) for p in s.pieces])  # type: ignore[arg-type]

    assert trio.run(whole) == b"let it = 1;" * 10_000


def test_a_folder_without_end_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_files, "FILES_COUNT_MAX", 3)
    with pytest.raises(ValueError, match="more than 3"):
        static_files.files_below(folder)
