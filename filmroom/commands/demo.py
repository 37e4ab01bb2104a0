"""filmroom demo."""

import sys
import tempfile

import trio

from bench.data import Shape, files
from engine import StoreSettings
from filmroom import control, logs
from filmroom.compose import Node, node_folder
from filmroom.serve import Address, print_ready, run
from filmroom.settings import ServeSettings, Settings

# Small enough to start in seconds, large enough to scroll through: 5 studies x 3 series x 8 images of 128 x 128.
SHAPE = Shape(studies=5, series=3, instances=8, rows=128)


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
    serve = ServeSettings(
        dimse_port=ports[0] if dimse_port is None else dimse_port,
        http_port=ports[1] if http_port is None else http_port,
        log_level="warning" if check else "info",
    )
    logs.set_up(serve.log_format, serve.log_level)
    with tempfile.TemporaryDirectory(prefix="filmroom-demo-") as folder:
        settings = Settings(serve=serve, store=StoreSettings(url=folder))
        await run(settings, find_one if check else print_ready, fill)
    return 0


async def fill(node: Node) -> None:
    """Store the generated studies."""
    async with trio.open_nursery() as nursery:
        for file in files(SHAPE):
            nursery.start_soon(node.archive.store, file.data)
    print(f"stored {SHAPE.studies} generated studies, {SHAPE.instance_count} images", file=sys.stderr)


async def find_one(node: Node, dicom: Address, http: Address) -> None:
    """Ask the running node for its studies over its control socket and for its health over HTTP; then stop it."""
    await print_ready(node, dicom, http)
    try:
        folder = node_folder(node.settings.store.url)
        assert folder is not None
        found = [item async for item in control.ask(folder, "find", {"words": [], "limit": 1, "sort": []})]
        if found[0]["total"] != SHAPE.studies or len(found) != 2:
            raise SystemExit(f"the demo has {SHAPE.studies} studies, but {found[0]['total']} were found")
        async with await trio.open_tcp_stream(*http) as stream:
            await stream.send_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            if b" 200 " not in await stream.receive_some(1024):
                raise SystemExit("the demo's node is not ready")
        print("found 1 study; stopping", file=sys.stderr)
    finally:
        node.shutdown.set()
