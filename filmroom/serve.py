"""Runs a node: archive, DICOM port, HTTP port, control socket; ends them in order."""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import trio

import engine
from filmroom import control
from filmroom.compose import Node, dimse_settings, node_folder, open_node, store_flag
from filmroom.exits import Unreachable, leaf_of
from filmroom.operations import answer
from filmroom.settings import Settings
from protocols import dimse, web

log = logging.getLogger("filmroom.serve")
# Associations may finish what they do (see DimseSettings.shutdown_seconds); after this whatever still runs is cut.
SHUTDOWN_SECONDS_MAX = 30.0
# How long a thread that comes back from a system call waits for a busy one: with 5 ms the spill took 14 ms an object.
SWITCH_SECONDS = 0.0005
Address = tuple[str, int]
Ready = Callable[[Node, Address, Address], Awaitable[None]]


async def run(settings: Settings, ready: Ready, prepare: Callable[[Node], Awaitable[None]] | None = None) -> None:
    """Serve until SIGTERM, SIGINT, or until ``ready`` sets ``node.shutdown``. ``prepare`` runs before the ports open.

    Raises Unreachable when a port is taken or the store is held by another process.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        async with open_node(settings) as node:
            if prepare is not None:
                await prepare(node)
            await _serve(node, ready)
    except engine.Conflict as error:
        raise Unreachable(f"{error}: is a node serving it already?") from error


async def _serve(node: Node, ready: Ready) -> None:
    settings, shutdown = node.settings, node.shutdown
    health = web.Health()
    async with _signals(shutdown), trio.open_nursery() as nursery:
        with _listening(settings.serve.host, settings.serve.dimse_port, "--dimse-port"):
            dicom: Address = await nursery.start(
                partial(dimse.serve, node.archive, dimse_settings(settings), node.peers, shutdown=shutdown)
            )
        health.dicom_bound = True
        site = web.WebSettings(host=settings.serve.host, port=settings.serve.http_port)
        with _listening(settings.serve.host, settings.serve.http_port, "--http-port"):
            http: Address = await nursery.start(partial(web.serve, site, health, shutdown=shutdown))
        folder = node_folder(settings.store.url)
        if folder is not None:
            await nursery.start(partial(control.serve, folder, answer(node), shutdown=shutdown))
        health.archive_open = True
        node.dicom, node.http = text_of(dicom), text_of(http)
        nursery.start_soon(ready, node, dicom, http)
        await shutdown.wait()
        health.stopping = True
        log.info("shutting down")
        nursery.cancel_scope.deadline = trio.current_time() + SHUTDOWN_SECONDS_MAX


@asynccontextmanager
async def _signals(shutdown: trio.Event) -> AsyncIterator[None]:
    """Within: SIGTERM or SIGINT asks for shutdown; a second one cuts short whatever is still being finished."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                async for _ in received:
                    if shutdown.is_set():
                        nursery.cancel_scope.cancel()
                    shutdown.set()

            nursery.start_soon(watch)
            yield
            nursery.cancel_scope.cancel()


@contextmanager
def _listening(host: str, port: int, flag: str) -> Iterator[None]:
    """Turns the failure to bind a port into one clear line."""
    try:
        yield
    except (OSError, engine.Conflict, ExceptionGroup) as error:
        cause = leaf_of(error)
        if not isinstance(cause, (OSError, engine.Conflict)):
            raise
        reason = os.strerror(cause.errno or 0) if isinstance(cause, OSError) else "the port is taken"
        hint = f"choose another with {flag} (0 takes a free one)"
        raise Unreachable(f"cannot listen on {host}:{port} ({reason}): {hint}") from error


async def print_ready(node: Node, dicom: Address, http: Address) -> None:
    """Where the node is, the next useful commands, and the line that scripts wait for, last."""
    serve, (dicom_host, dicom_port) = node.settings.serve, dicom
    place, url = f"{dicom_host} {dicom_port}", f"http://{text_of(http)}"
    store = store_flag(node.settings.store.url)
    lines = (
        f"store    {node.settings.store.url}",
        f"dicom    {text_of(dicom)}  AE title {serve.ae_title.strip()}",
        f"health   {url}/health/ready",
        "next     " + f"echoscu -aec {serve.ae_title.strip()} {place}",
        f"         dcmsend -aec {serve.ae_title.strip()} {place} FILES",
        f"         filmroom find{store}",
        f"         filmroom aet add AE_TITLE HOST:PORT{store}",
        f"ready dicom={text_of(dicom)} http={text_of(http)}",
    )
    log.info("ready", extra={"dicom": text_of(dicom), "http": text_of(http)})
    print("\n".join(lines), flush=True)


def text_of(address: Address) -> str:
    """HOST:PORT, an IPv6 host in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
