"""filmroom demo."""

import fcntl
import os
import shutil
import sys
import tempfile
import webbrowser
from functools import partial
from pathlib import Path

import trio

from bench.asking import IMPLICIT_LITTLE, STUDY_ROOT_FIND, find
from bench.data import Shape, files
from bench.lean import Association, Target
from engine import Invalid
from engine.clock import Clock
from filmroom import logs
from filmroom.commands.screen import say
from filmroom.compose import Node
from filmroom.exits import Unreachable, sentence_of
from filmroom.loading import load
from filmroom.serve import print_ready, ready_line, run, until, viewer_url
from filmroom.viewer import installing, package

# Small enough to start in seconds, large enough to scroll through: 5 studies x 3 series x 8 images of 128 x 128.
SHAPE = Shape(studies=5, series=3, instances=8, rows=128)
PREFIX = "filmroom-demo-"
YOUNG_SECONDS = 60
FETCH_SECONDS_MAX = 120.0


async def demo(*, check: bool = False, dimse_port: int | None = None, http_port: int | None = None) -> int:
    """Serve a temporary folder with five generated studies; it is gone when the demo ends.

    The viewer is fetched from npm if it is not there and there is a network, and opened if there is a terminal and a
    display.

    Parameters
    ----------
    check
        Start, find one study over the sockets, stop; exit code 0 when all went well.
    dimse_port
        DICOM port (default 11112; with --check a free one).
    http_port
        HTTP port (default 8080; with --check a free one).
    """
    ports = (0, 0) if check else (11112, 8080)
    flags = {
        "serve.dimse_port": ports[0] if dimse_port is None else dimse_port,
        "serve.http_port": ports[1] if http_port is None else http_port,
        "serve.log_level": "warning" if check else "info",
    }
    sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        settings = load(Path(os.devnull), {**flags, "store.url": folder}, {}).settings  # no file, no environment
        logs.set_up(settings.serve.log_format, settings.serve.log_level)
        await run(settings, find_one if check else show, fill)
    return 0


def sweep() -> None:
    """Remove what demos left that were killed: folders of ours whose lock nobody holds. Young ones may be starting."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder / "node" / "lock", os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue  # not ours, or just being made
        try:
            if Clock().now_us() / 1e6 - os.fstat(lock).st_mtime < YOUNG_SECONDS:
                continue
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


async def fill(node: Node) -> None:
    """Store the generated studies."""
    async with trio.open_nursery() as nursery:
        for file in files(SHAPE):
            nursery.start_soon(node.archive.store, file.data)
    print(f"stored {SHAPE.studies} generated studies, {SHAPE.instance_count} images", file=sys.stderr)


async def show(node: Node) -> None:
    """Say where all is; open the viewer, which is fetched first where it is not there. The archive serves meanwhile."""
    await print_ready(node, [study_line(node)] if package.is_installed() else [])
    await until(node.shutdown, partial(open_viewer, node))


async def open_viewer(node: Node) -> None:
    """In the browser of whoever sits before it."""
    if not package.is_installed():
        try:
            await installing.install(None, say, FETCH_SECONDS_MAX)
        except (Unreachable, Invalid, OSError) as error:
            say(f"the demo goes on without the viewer: {sentence_of(error)}")
            return
        say(f"viewer   {viewer_url(node)}\n{study_line(node)}")
    if is_watched():
        await trio.to_thread.run_sync(webbrowser.open, viewer_url(node), abandon_on_cancel=True)


def study_line(node: Node) -> str:
    """Where the first generated study is seen."""
    return f"study    {viewer_url(node, next(files(SHAPE)).study_uid)}"


def is_watched() -> bool:
    """Whether somebody sits before a display: a terminal, a screen, and no build machine."""
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_display and not os.environ.get("CI") and sys.stdin.isatty() and sys.stdout.isatty()


def count_one(node: Node) -> int:
    """Matches of a C-FIND for the first generated study."""
    host, _, port = node.dicom.rpartition(":")
    target = Target(int(port), node.settings.serve.ae_title.strip(), host.strip("[]"))
    association = Association(target, STUDY_ROOT_FIND, IMPLICIT_LITTLE)
    found = find(association, {0x00080052: "STUDY", 0x0020000D: next(files(SHAPE)).study_uid})
    association.release()
    return found


async def find_one(node: Node) -> None:
    """Find one of its studies by C-FIND over the DICOM port, and its health over HTTP; then stop it."""
    try:
        found = await trio.to_thread.run_sync(count_one, node, abandon_on_cancel=True)
        if found != 1:
            raise SystemExit(f"one study was asked for over the DICOM port, but {found} were found")
        host, _, port = node.http.rpartition(":")
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            if b" 200 " not in await stream.receive_some(1024):
                raise SystemExit("the demo's node is not ready")
        print(f"found 1 study of {SHAPE.studies} by C-FIND, health ready; stopping", file=sys.stderr)
        print(ready_line(node), flush=True)
    finally:
        node.shutdown.set()
