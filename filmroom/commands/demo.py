"""filmroom demo."""

import fcntl
import os
import shutil
import sys
import tempfile
from pathlib import Path

import trio

from bench.data import Shape, files
from engine.clock import Clock
from filmroom import control, logs
from filmroom.compose import Node, node_folder
from filmroom.loading import load
from filmroom.serve import print_ready, ready_line, run

# Small enough to start in seconds, large enough to scroll through: 5 studies x 3 series x 8 images of 128 x 128.
SHAPE = Shape(studies=5, series=3, instances=8, rows=128)
PREFIX = "filmroom-demo-"
YOUNG_SECONDS = 60


async def demo(*, check: bool = False, dimse_port: int | None = None, http_port: int | None = None) -> int:
    """Serve a temporary folder with five generated studies; it is gone when the demo ends.

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
        await run(settings, find_one if check else print_ready, fill)
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


async def find_one(node: Node) -> None:
    """Ask the running node for its studies over its control socket and for its health over HTTP; then stop it."""
    try:
        folder = node_folder(node.settings.store.url)
        assert folder is not None
        found = [item async for item in control.ask(folder, "find", {"words": [], "limit": 1, "sort": []})]
        if found[0]["total"] != SHAPE.studies or len(found) != 2:
            raise SystemExit(f"the demo has {SHAPE.studies} studies, but {found[0]['total']} were found")
        host, _, port = node.http.rpartition(":")
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            if b" 200 " not in await stream.receive_some(1024):
                raise SystemExit("the demo's node is not ready")
        print(f"found 1 study of {SHAPE.studies}, health ready; stopping", file=sys.stderr)
        print(ready_line(node), flush=True)
    finally:
        node.shutdown.set()
