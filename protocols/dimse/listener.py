"""The DICOM port: accepts connections, bounds them, ends them in order."""

import errno
import logging
import os
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing

import trio

from engine.errors import Conflict
from engine.ports import Peers
from protocols.dimse import secure
from protocols.dimse.callers import Callers
from protocols.dimse.outbound import Outbound
from protocols.dimse.ports import Archive
from protocols.dimse.proof import names_in
from protocols.dimse.session import Phase, Session
from protocols.dimse.settings import DimseSettings
from protocols.dimse.site import Site
from protocols.dimse.traffic import Traffic
from protocols.security import SecureListener, log_refusal
from protocols.transcode import Transcoder

log = logging.getLogger("filmroom.dimse")

Listener = trio.SocketListener | SecureListener

BACKLOG_COUNT = 1024
# accept() failed for want of descriptors or memory: connections end meanwhile.
ACCEPT_PAUSE_SECONDS = 0.1
ACCEPT_AGAIN = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ECONNABORTED})


async def serve(
    archive: Archive,
    settings: DimseSettings,
    peers: Peers,
    *,
    listeners: Sequence[Listener] = (),
    outbound: Outbound | None = None,
    callers: Callers | None = None,
    traffic: Traffic | None = None,
    shutdown: trio.Event | None = None,
    task_status: trio.TaskStatus[tuple[str, int]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve one port until ``shutdown`` is set and every association has ended, or until cancelled.

    ``listeners``: bound already, with TLS or without; else the settings' host and port are bound here.
    ``outbound``: what a process shares; without it the port has one of its own. ``callers`` learns who called,
    ``traffic`` how many. ``task_status.started`` gets (host, port). Raises Conflict when the port is taken.
    """
    listeners = listeners or await _listen(settings)
    host, port = listeners[0].socket.getsockname()[:2]
    log.info("listening", extra={"host": host, "port": port, "ae_title": settings.ae_title})
    task_status.started((host, port))
    async with AsyncExitStack() as held:
        if outbound is None:
            outbound = Outbound(archive, settings, await held.enter_async_context(Transcoder()))
        site = Site(outbound, settings, peers, callers, traffic)
        await Port(site, listeners).run(trio.Event() if shutdown is None else shutdown)


async def _listen(settings: DimseSettings) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(settings.port, host=settings.host, backlog=BACKLOG_COUNT)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"DICOM port {where} is in use: another server runs there, or choose another port"
            ) from error
        raise Conflict(f"cannot listen on DICOM port {where}: {os.strerror(error.errno or 0)}") from error


class Arriving:
    """A connection in its TLS handshake: to the port, a session that is opening."""

    def __init__(self) -> None:
        self.phase: Phase = "opening"
        self.scope = trio.CancelScope()

    def wind_down(self) -> None:
        self.scope.cancel()


class Port:
    """Open listeners and the sessions that came through them."""

    def __init__(self, site: Site, listeners: Sequence[Listener]) -> None:
        self._site = site
        self._listeners = listeners
        self._sessions: dict[Session | Arriving, None] = {}
        self._empty = trio.Event()

    async def run(self, shutdown: trio.Event) -> None:
        async with trio.open_nursery() as sessions:
            sessions.start_soon(self._interrupt_threads_when_cancelled)
            sessions.start_soon(self._site.reporter.run)
            async with trio.open_nursery() as accepting:
                for listener in self._listeners:
                    accepting.start_soon(self._accept, listener, sessions)
                await shutdown.wait()
                accepting.cancel_scope.cancel()
            await self._end_sessions()
            sessions.cancel_scope.cancel()

    async def _end_sessions(self) -> None:
        """Idle ones soon, busy ones when they are done, all of them before the deadline."""
        for session in list(self._sessions):
            session.wind_down()
        with trio.move_on_after(self._site.settings.shutdown_seconds):
            while self._sessions:
                self._empty = trio.Event()
                await self._empty.wait()
            await self._site.reporter.finish()
        if self._sessions:
            log.warning("associations aborted at shutdown", extra={"count": len(self._sessions)})

    async def _accept(self, listener: Listener, sessions: trio.Nursery) -> None:
        plain = listener.inner if isinstance(listener, SecureListener) else listener
        async with listener:
            while True:
                try:
                    stream = await plain.accept()
                except OSError as error:
                    if error.errno not in ACCEPT_AGAIN:
                        raise
                    log.warning("cannot accept", extra={"error": os.strerror(error.errno or 0)})
                    await trio.sleep(ACCEPT_PAUSE_SECONDS)
                    continue
                self._make_room()
                context = listener.certificates.context if isinstance(listener, SecureListener) else None
                sessions.start_soon(self._run, stream, context)

    async def _run(self, stream: trio.SocketStream, context: ssl.SSLContext | None) -> None:
        try:
            address = str(stream.socket.getpeername()[0])
        except OSError:
            stream.socket.close()
            return
        if context is None:
            await self._serve(stream.socket, address)
            return
        with closing(secure.wrapped(stream, context, server_side=True)) as outer:
            if await self._shake(outer, address):
                names = names_in(outer.getpeercert())
                async with secure.opened(outer) as inner:
                    await self._serve(inner, address, names)

    async def _shake(self, outer: ssl.SSLSocket, address: str) -> bool:
        """The handshake of a connection that came in. False when there is nothing more to it."""
        arriving = Arriving()
        self._sessions[arriving] = None
        try:
            with arriving.scope:
                await secure.shake(outer, self._site.settings.artim_seconds)
                return True
        except (OSError, trio.TooSlowError) as error:
            log_refusal(error, address, "DICOM")
        finally:
            self._leave(arriving)
        return False

    async def _serve(self, socket: trio.socket.SocketType, address: str, names: frozenset[str] | None = None) -> None:
        session = Session(socket, address, self._site, names)
        self._sessions[session] = None
        try:
            await session.run()
        except Exception:
            # One association's bug must not end the others; it is a bug all the same.
            log.exception("association failed", extra={"peer": address})
        finally:
            self._leave(session)

    def _leave(self, one: Session | Arriving) -> None:
        del self._sessions[one]
        if not self._sessions:
            self._empty.set()

    def _make_room(self) -> None:
        """Close the oldest connection that has no association (not yet, or no more), when there are too many (H7)."""
        opening = [session for session in self._sessions if session.phase in ("opening", "closing")]
        if len(opening) >= self._site.settings.half_open_max:
            opening[0].scope.cancel()

    async def _interrupt_threads_when_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._site.interrupts.set_all()
