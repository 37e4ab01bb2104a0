"""The viewer's package: checked before it is read, unpacked within bounds, altered so that it works below any path."""

import base64
import gzip
import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from engine import Invalid
from filmroom.exits import Unreachable
from filmroom.viewer import fetching, installing, package, unpacking
from filmroom.viewer.altering import altered
from tests.filmroom.running import run

PAGE = (
    '<!doctype html><meta name="msapplication-config" content="/assets/a.xml"><script>console.time("scriptToView"),'
    'window.PUBLIC_URL="/"</script><link href="/app.css"><script rel="preload" src="/app-config.js"></script>'
    '<script>function browserImportFunction(n){return import(n)}window.PUBLIC_URL="/"</script>'
    '<script defer src="/app.bundle.0f6159c501addfe9.js"></script>'
)
BUNDLE = (
    '__webpack_require__.p = "/";\n'
    "await window.browserImportFunction('/dicom-microscopy-viewer/dicomMicroscopyViewer.min.js');" + "// \n" * 500
)
FILES = {
    "package/package.json": "{}",
    "package/dist/index.html": PAGE,
    "package/dist/app.bundle.0f6159c501addfe9.js": BUNDLE,
    "package/dist/app.bundle.0f6159c501addfe9.js.map": "map",
    "package/dist/ort/ort.wasm": "network",
    "package/dist/sw.js": "importScripts('https://elsewhere')",
    "package/dist/app-config.js": "theirs",
    "package/dist/assets/a.xml": "<a/>",
}


def packed(files: dict[str, str], more: Callable[[tarfile.TarFile], None] = lambda archive: None) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, text in files.items():
            add(archive, name, text)
        more(archive)
    return made.getvalue()


def add(archive: tarfile.TarFile, name: str, text: str) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(text)
    archive.addfile(member, io.BytesIO(text.encode()))


def special(name: str, kind: bytes, target: str = "/etc/passwd") -> Callable[[tarfile.TarFile], None]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return lambda archive: archive.addfile(member)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is installed; the package that ``offer`` makes counts as the pinned one."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return package.place()


def offer(tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(package, "INTEGRITY", "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode())
    file = tmp_path / "viewer.tgz"
    file.write_bytes(data)
    return file


def install(file: Path) -> Path:
    said: list[str] = []
    return trio.run(installing.install, file, said.append)


def left_over(place: Path) -> list[str]:
    return [path.name for path in place.parent.glob("*")] if place.parent.exists() else []


def test_what_is_served_is_laid_down_and_nothing_else(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = offer(tmp_path, packed(FILES), monkeypatch)
    assert not package.is_installed() and install(file) == place and package.is_installed()
    names = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    bundle = "app.bundle.0f6159c501addfe9.js"
    assert names == {"index.html", bundle, f"{bundle}.gz", "assets/a.xml", ".altered"}
    assert gzip.decompress((place / f"{bundle}.gz").read_bytes()) == (place / bundle).read_bytes()
    assert (place / ".altered").read_text().split() == ["index.html", bundle]
    assert left_over(place) == [place.name]


def test_again_is_done_already(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = offer(tmp_path, packed(FILES), monkeypatch)
    install(file)
    before = place.stat().st_ino
    file.unlink()
    assert install(file) == place and place.stat().st_ino == before


def test_of_two_at_once_one_stays(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = offer(tmp_path, packed(FILES), monkeypatch)
    with file.open("rb") as first, file.open("rb") as second:
        assert unpacking.lay_down(first, place) and not unpacking.lay_down(second, place)
    assert left_over(place) == [place.name]


def test_every_link_is_relative_and_no_script_stands_in_the_page() -> None:
    text = altered("index.html", PAGE.encode()).decode()
    assert '="/' not in text and "<script>" not in text
    assert 'content="./assets/a.xml"' in text and 'src="./app-config.js"' in text
    bundle = altered("app.bundle.js", BUNDLE.encode()).decode()
    assert '.p = "/"' not in bundle and "'/dicom-microscopy" not in bundle
    assert altered("assets/x.png", b'__webpack_require__.p = "/";') == b'__webpack_require__.p = "/";'
    assert altered("app.css", b"src: url(/a.woff2)") == b"src: url(a.woff2)"
    with pytest.raises(Invalid, match="other scripts"):
        altered("index.html", PAGE.replace("console.time", "console.log").encode())


@pytest.mark.parametrize("bad", ["one byte", "too long", "cut"])
def test_another_package_is_refused_before_it_is_read(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    data = packed(FILES)
    file = offer(tmp_path, data, monkeypatch)
    monkeypatch.setattr(tarfile, "open", lambda **_: pytest.fail("it was read"))
    if bad == "too long":
        monkeypatch.setattr(package, "PACKED_BYTES_MAX", len(data) - 1)
    file.write_bytes({"one byte": data[:99] + b"!" + data[100:], "cut": data[:-1]}.get(bad, data))
    with pytest.raises(Invalid, match=r"is not @ohif/app 3\.13\.2"):
        install(file)
    assert not left_over(place)


@pytest.mark.parametrize(
    "more",
    [
        lambda archive: add(archive, "package/dist/../../../escape.js", "x"),
        lambda archive: add(archive, "/etc/escape.js", "x"),
        special("package/dist/link.js", tarfile.SYMTYPE),
        special("package/dist/hard.js", tarfile.LNKTYPE),
        special("package/dist/pipe.js", tarfile.FIFOTYPE),
        special("package/dist/device.js", tarfile.CHRTYPE),
    ],
    ids=["dots", "absolute", "symlink", "hard link", "pipe", "device"],
)
def test_h65_paths_that_lead_out_are_refused_and_nothing_stays(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: Callable[[tarfile.TarFile], None]
) -> None:
    with pytest.raises(Invalid, match="what a viewer does not"):
        install(offer(tmp_path, packed(FILES, more), monkeypatch))
    assert not left_over(place) and not list(tmp_path.rglob("escape.js"))


@pytest.mark.parametrize("bound", ["FILES_COUNT_MAX", "FILE_BYTES_MAX", "ALL_BYTES_MAX"])
def test_h65_a_package_that_unfolds_without_end_is_refused(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(unpacking, bound, 5)
    with pytest.raises(Invalid):
        install(offer(tmp_path, packed(FILES), monkeypatch))
    assert not left_over(place)


@pytest.mark.parametrize("data", [b"", b"no archive", packed({"package/dist/other.js": "x"}), packed(FILES)[:300]])
def test_a_package_without_a_page_or_an_end_is_refused(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    with pytest.raises(Invalid):
        install(offer(tmp_path, data, monkeypatch))
    assert not left_over(place)


def test_what_stands_in_its_place_is_named(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir(parents=True)
    (place / "mine").touch()
    with pytest.raises(Invalid, match="filmroom viewer rm"):
        install(offer(tmp_path, packed(FILES), monkeypatch))
    assert installing.remove() and not installing.remove()


def test_what_a_killed_one_left_goes_with_the_next(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".new-old", ".new-young"):
        (place.parent / name).mkdir(parents=True)
    os.utime(place.parent / ".new-old", (0, 0))
    install(offer(tmp_path, packed(FILES), monkeypatch))
    assert sorted(left_over(place)) == [".new-young", place.name]


def npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for npm: what it does is the test's."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_it_comes_by_npm_where_the_user_has_it(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, packed(FILES), monkeypatch)
    npm(tmp_path / "bin", f'[ "$2" = @ohif/app@3.13.2 ] && cp {tmp_path}/viewer.tgz "$4/"', monkeypatch)
    said: list[str] = []
    assert trio.run(installing.install, None, said.append) == place and package.is_installed()
    assert "by npm" in said[0]


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "echo 'npm error code ENOTFOUND' >&2; echo 'npm error no such host' >&2; exit 1",
            "viewer: no such host; where",
        ),
        ("exit 0", "could not fetch the viewer; where"),
        ("exec sleep 100", "within 1 seconds; where"),
    ],
)
def test_what_keeps_it_away_is_said_with_the_way_out(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    npm(tmp_path / "bin", script, monkeypatch)
    with pytest.raises(Unreachable, match=sentence) as told:
        trio.run(installing.install, None, lambda _: None, 1.0 if "sleep" in script else 60.0)
    assert "--from FILE.tgz" in str(told.value) and not left_over(place)


def test_without_npm_it_comes_from_the_public_registry(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here from a port of this machine: served whole, cut, and refused."""
    data = packed(FILES)
    offer(tmp_path, data, monkeypatch)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async def served(answer: bytes) -> None:
        async def serve(stream: trio.SocketStream) -> None:
            await stream.receive_some(65536)
            await stream.send_all(answer)
            await stream.aclose()

        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
            port = listener.socket.getsockname()[1]
            monkeypatch.setattr(fetching, "URL", f"http://127.0.0.1:{port}/viewer.tgz")
            try:
                await installing.install(None, lambda _: None, 30.0)
            finally:
                nursery.cancel_scope.cancel()

    head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n"
    for answer in (head % (b"404 Not Found", 0), head % (b"200 OK", len(data)) + data[:-9]):
        with pytest.raises(ExceptionGroup) as told:
            trio.run(served, answer)
        assert told.group_contains(Unreachable, match="cannot be fetched")
    trio.run(served, head % (b"200 OK", len(data)) + data)
    assert package.is_installed()


def test_commands_and_their_exit_codes(tmp_path: Path) -> None:
    (tmp_path / "other.tgz").write_bytes(packed(FILES))

    def code(*words: str) -> tuple[int, str]:
        done: subprocess.CompletedProcess[str] = run("viewer", *words, XDG_DATA_HOME=str(tmp_path / "data"))
        return done.returncode, done.stdout + done.stderr

    assert code("status") == (1, "no viewer is installed: filmroom viewer install\n")
    assert code("rm")[0] == 1
    status, said = code("install", "--from", str(tmp_path / "other.tgz"))
    assert status == 2 and "sha512" in said
    assert code("install", "--from", str(tmp_path / "none.tgz"))[0] == 3
