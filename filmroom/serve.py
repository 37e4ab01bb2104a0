"""Runs a node: archive, DICOM port, HTTP port, control socket; ends them in order."""

import gc
import logging
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

import engine
from engine.clock import Clock
from filmroom import control, descriptors, exposure, webhooks
from filmroom.caretaking import collect_forever
from filmroom.compose import Node, certificates, dimse_settings, held_hint, open_node, store_flag
from filmroom.exits import Unreachable
from filmroom.household import NodeHousehold
from filmroom.listening import address_of, listen
from filmroom.operations import answer
from filmroom.settings import Settings
from filmroom.tls_checks import validity
from filmroom.viewer import package
from protocols import dimse, web
from protocols.security import Certificates, SecureListener

log = logging.getLogger("filmroom.serve")
# Associations may finish what they do (see DimseSettings.shutdown_seconds); after this whatever still runs is cut.
SHUTDOWN_SECONDS_MAX = 30.0
# How long a thread that comes back from a system call waits for a busy one: with 5 ms the spill took 14 ms an object.
SWITCH_SECONDS = 0.0005
# What an instance makes dies by its count, not in cycles: the collector's default of 700 took 5-6 % of the drain's CPU.
COLLECT_AFTER_COUNTS = (50_000, 20, 50)
FAILURE_LOOK_SECONDS = 1.0
Address = tuple[str, int]
Act = Callable[[Node], Awaitable[None]]


async def run(settings: Settings, ready: Act, prepare: Act | None = None) -> None:
    """Serve until SIGTERM, SIGINT, or until ``ready`` sets ``node.shutdown``. ``prepare`` runs before the ports open.

    Raises Unreachable when a port is taken or another process holds the store, Invalid for a host that is not ours, or
    for one that needs more protection than the settings give.
    """
    exposure.check(settings)
    shown = certificates(settings)
    descriptors.widen()
    sys.setswitchinterval(SWITCH_SECONDS)
    await _try_ports(settings)
    async with _held(settings) as node, _signals(node.shutdown):
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER_COUNTS)
        if prepare is not None:
            await until(node.shutdown, partial(prepare, node))
        if not node.shutdown.is_set():
            await _serve(node, ready, shown)


async def _try_ports(settings: Settings) -> None:
    """Where there is no archive yet: one that cannot be served is not made. Raises as ``listen``."""
    serve = settings.serve
    if settings.store.url.startswith("memory:") or await trio.to_thread.run_sync(engine.is_archive, settings.store):
        return
    for port, flag in ((serve.dimse_port, "--dimse-port"), (serve.http_port, "--http-port")):
        for listener in await listen(serve.host, port, flag):
            await listener.aclose()


@asynccontextmanager
async def _held(settings: Settings) -> AsyncIterator[Node]:
    opened = False
    try:
        async with open_node(settings) as node:
            opened = True
            yield node
    except engine.Conflict as error:
        if opened:
            raise
        raise Unreachable(f"{error} already: {held_hint(settings.store.url)}") from error


async def until(ended: trio.Event, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work, but no longer than until the event."""
    async with trio.open_nursery() as nursery:

        async def cut() -> None:
            await ended.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(cut)
        await work()
        nursery.cancel_scope.cancel()


async def _serve(node: Node, ready: Act, shown: Certificates | None) -> None:
    shutdown = node.shutdown
    dicom, http = await _listen(node, shown)
    node.served_since = trio.current_time()
    folder = engine.node_folder(node.settings.store)
    hooks = await webhooks.begin_all(node.archive, node.settings.webhook, folder and folder / "webhooks")
    health = web.Health()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            partial(
                dimse.serve,
                node.archive,
                dimse_settings(node.settings),
                node.peers,
                listeners=dicom,
                outbound=node.outbound,
                callers=node.callers,
                traffic=node.traffic,
                shutdown=shutdown,
            )
        )
        health.dicom_bound = True
        await nursery.start(
            partial(
                web.serve,
                http,
                health,
                node.archive,
                web_settings(node.settings),
                traffic=node.traffic,
                guard=web.Lock(node.tokens.holder_of) if exposure.needs_tokens(node.settings) else None,
                transcoder=node.transcoder,
                household=NodeHousehold(node),
                shutdown=shutdown,
            )
        )
        if folder is not None:
            await nursery.start(partial(control.serve, folder, answer(node), shutdown=shutdown))
        health.trouble = node.archive.trouble
        health.archive_open = True
        nursery.start_soon(_end_when_failed, node)
        nursery.start_soon(until, shutdown, partial(collect_forever, node.archive))
        nursery.start_soon(until, shutdown, partial(webhooks.carry_all, hooks))
        if shown is not None:
            _warn_of_end(shown)
            await nursery.start(_renew_on_hangup, shown)
        nursery.start_soon(ready, node)
        await shutdown.wait()
        health.stopping = True
        log.info("shutting down")
        nursery.cancel_scope.deadline = trio.current_time() + SHUTDOWN_SECONDS_MAX


async def _listen(
    node: Node, shown: Certificates | None
) -> tuple[Sequence[dimse.Listener], Sequence[trio.abc.Listener[Any]]]:
    """The DICOM ports and the HTTP port, bound; the node knows where then."""
    serve, tls = node.settings.serve, node.settings.tls
    dicom: list[dimse.Listener] = []
    if shown is None or tls.dicom != "only":
        dicom += (plain := await listen(serve.host, serve.dimse_port, "--dimse-port"))
        node.dicom = text_of(address_of(plain))
    if shown is not None and tls.dicom != "off":
        sealed = await listen(serve.host, serve.dimse_tls_port, "--dimse-tls-port")
        dicom += (SecureListener(listener, shown) for listener in sealed)
        node.dicom_tls = text_of(address_of(sealed))
        node.dicom = node.dicom or node.dicom_tls
    http = await listen(serve.host, serve.http_port, "--http-port")
    node.http = text_of(address_of(http))
    if not exposure.is_local(node.settings) and node.dicom != node.dicom_tls:
        log.warning("the DICOM port is not encrypted", extra={"dicom": node.dicom, "see": "tls.dicom"})
    return dicom, [SecureListener(listener, shown) for listener in http] if shown is not None else http


async def _renew_on_hangup(shown: Certificates, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """SIGHUP: read certificate and key anew. New connections get the new one."""
    with trio.open_signal_receiver(signal.SIGHUP) as received:
        task_status.started()
        async for _ in received:
            await trio.to_thread.run_sync(shown.reload)
            _warn_of_end(shown)


def _warn_of_end(shown: Certificates) -> None:
    check = validity(shown, Clock().now_us())
    if check.state != "ok":
        log.warning(check.found, extra={"fix": check.fix})


async def _end_when_failed(node: Node) -> None:
    """After a failed write or sync nothing is acknowledged any more: leave, so that the next start recovers."""
    while not node.shutdown.is_set():
        if failure := node.archive.failure():
            log.critical("leaving", extra={"reason": failure})
            node.shutdown.set()
        with trio.move_on_after(FAILURE_LOOK_SECONDS):
            await node.shutdown.wait()


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


async def print_ready(node: Node, more: Sequence[str] = ()) -> None:
    """Where the node is, the next useful commands, ``more``, and the line that scripts wait for, last."""
    title = node.settings.serve.ae_title.strip()
    scheme = "https" if exposure.is_encrypted(node.settings) else "http"
    host, _, port = node.dicom.rpartition(":")
    place, store = f"{host.strip('[]')} {port}", store_flag(node.settings.store.url)
    log.info("ready", extra={"dicom": node.dicom, "http": node.http})
    lines = (
        f"store    {node.settings.store.url}",
        f"dicom    {node.dicom}  AE title {title}",
        *([f"         {node.dicom_tls}  with TLS"] if node.dicom_tls else []),
        f"web      {scheme}://{node.http}/dicomweb",
        f"viewer   {viewer_url(node) if package.is_installed() else f'none; to have one: {_program()} viewer install'}",
        f"health   {scheme}://{node.http}/health/ready",
        f"next     echoscu -aec {title} {place}",
        f"         dcmsend -nh +sd +r -aec {title} {place} FOLDER",
        *(f"         {_program()} {words}{store}" for words in _next_words(node.settings)),
        *more,
        ready_line(node),
    )
    print("\n".join(lines), flush=True)


def _next_words(settings: Settings) -> list[str]:
    if engine.node_folder(settings.store) is None:  # commands would find no folder to reach it through
        return []
    words = ["import FILES", "find", "aet add AE_TITLE HOST:PORT"]
    return [*words, "token new NAME"] if exposure.needs_tokens(settings) else words


def _program() -> str:
    """How the shell that started us would find the command: an environment need not be activated."""
    called = sys.argv[0]
    return called if Path(called).name == "filmroom" and shutil.which("filmroom") is None else "filmroom"


def viewer_url(node: Node, study_uid: str = "") -> str:
    """The viewer's list of studies, or one study in it."""
    scheme = "https" if exposure.is_encrypted(node.settings) else "http"
    view = f"viewer?StudyInstanceUIDs={study_uid}" if study_uid else ""
    return f"{scheme}://{node.http}/ohif/{view}"


def ready_line(node: Node) -> str:
    """What scripts wait for."""
    return f"ready dicom={node.dicom} http={node.http}" + (f" dicom-tls={node.dicom_tls}" if node.dicom_tls else "")


def web_settings(settings: Settings) -> web.WebSettings:
    """The HTTP port's settings."""
    serve = settings.serve
    try:
        viewer_folder = str(package.place())
    except engine.Invalid:  # who has no home has no viewer
        viewer_folder = ""
    return web.WebSettings(
        public_url=serve.public_url,
        trusted_proxies=serve.trusted_proxies,
        cors_origins=serve.cors_origins,
        viewer_folder=viewer_folder,
        connections_count_max=descriptors.connections_count_max(
            web.WebSettings().connections_count_max, descriptors.widen()
        ),
    )


def text_of(address: Address) -> str:
    """HOST:PORT, an IPv6 host in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
