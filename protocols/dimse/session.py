"""One accepted connection: the stream, and no decisions. Those are in association, negotiation and the services."""

import contextlib
import logging
import os
import struct
from typing import Literal

import trio

from protocols.dimse.association import Aborted, Association, Happened, Requested
from protocols.dimse.callers import Call
from protocols.dimse.exchange import Gone
from protocols.dimse.negotiation import LOCAL_LIMIT_EXCEEDED, Accepted, Rejected, negotiate
from protocols.dimse.proof import Caller
from protocols.dimse.serving import Serving
from protocols.dimse.site import Site
from protocols.dimse.titles import is_anybody, title_of
from protocols.dimse.transitions import Event, State

log = logging.getLogger("filmroom.dimse")

RECEIVE_BYTES = 65_536
# A response that is no longer goes out without a turn of the event loop, if the socket takes it.
PROMPT_BYTES = 16_384
Phase = Literal["opening", "idle", "busy", "closing"]


class Session:
    """Serve one connection with ``run``; ``wind_down`` asks it to end soon."""

    def __init__(
        self, socket: trio.socket.SocketType, address: str, site: Site, names: frozenset[str] | None = None
    ) -> None:
        """``names``: in the certificate that the peer showed and we believe."""
        self.phase: Phase = "opening"
        self.scope = trio.CancelScope()
        self._socket = socket
        self._address = address
        self._names = names
        self._site = site
        self._number = site.next_number()
        self._association = Association(
            requestor=False, artim_seconds=site.settings.artim_seconds, pdu_bytes_max=site.settings.pdu_bytes_max
        )
        self._waiting = trio.CancelScope()
        self._winding_down = False
        self._nudged = False
        self._admitted = False
        self._send_lock = trio.Lock()

    # -- from one end to the other -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the open connection to its end. Raises nothing but cancellation."""
        with self.scope:
            try:
                accepted = await self._open()
                if accepted is not None:
                    await self._serve(accepted)
                self.phase = "closing"
                await self._await_close()
            except (OSError, trio.TooSlowError, Gone) as error:
                log.info("association broken", extra={"association": self._number, "why": _why(error)})
                if isinstance(error, trio.TooSlowError):
                    self._reset_on_close()
            finally:
                self._abort_now()
                self._socket.close()
                if self._admitted:
                    self._site.leave(self._address)

    def wind_down(self) -> None:
        """End when the operation in progress is done and the peer says nothing more."""
        self._winding_down = True
        if self.phase == "opening":
            self.scope.cancel()
        self._waiting.deadline = min(self._waiting.deadline, self._idle_deadline())

    # -- opening -----------------------------------------------------------------------------------------------------

    async def _open(self) -> Accepted | None:
        self._association.connected(trio.current_time())
        while self._association.state is State.AWAITING_REQUEST:
            requested = None
            for happened in await self._receive():
                requested = happened if isinstance(happened, Requested) else requested
                self._log_end(happened)
            # Whoever sends more before our answer has broken the protocol, and is not answered any more.
            if requested is not None and self._is_asked():
                return await self._answer_request(requested)
        return None

    def _is_asked(self) -> bool:
        return self._association.state is State.AWAITING_LOCAL_RESPONSE

    async def _answer_request(self, requested: Requested) -> Accepted | None:
        site = self._site
        caller = await self._caller(title_of(requested.request.calling_ae_title))
        verdict = negotiate(requested.request, site.settings, caller=caller, known=site.peers)
        if isinstance(verdict, Accepted):
            self._admitted = site.admit(self._address)
            verdict = verdict if self._admitted else LOCAL_LIMIT_EXCEEDED
        now = trio.current_time()
        calling = title_of(requested.request.calling_ae_title)
        if calling is not None:
            refused = verdict.why if isinstance(verdict, Rejected) else ""
            site.callers.note(calling, Call(now, self._address, refused))
        if isinstance(verdict, Rejected):
            site.traffic.rejected_count += 1
            extra = {"association": self._number, "peer": self._address, "why": verdict.why}
            log.warning(f"association rejected: {verdict.why}", extra=extra)
            self._association.reject(verdict.result, verdict.source, verdict.reason, now)
            await self._flush()
            return None
        self._association.accept(verdict.answer, now)
        await self._flush()
        return verdict

    async def _caller(self, claimed: str | None) -> Caller:
        """What it shows beside the title that it claims."""
        site, addresses = self._site, frozenset[str]()
        peer = site.peers.lookup(claimed) if claimed is not None else None
        if peer is not None and self._names is None and not is_anybody(self._address, site.settings.calling):
            addresses = await site.hosts.addresses(peer.host)
        return Caller(self._address, self._names, addresses)

    # -- serving -----------------------------------------------------------------------------------------------------

    async def _serve(self, accepted: Accepted) -> None:
        serving = Serving(self, accepted)
        began = trio.current_time()
        try:
            await serving.run()
        finally:
            self._site.interrupts.close(serving.interrupt)
            serving.receiver.close()
            log.info(
                "association ended",
                extra={
                    "association": self._number,
                    "peer": self._address,
                    "calling": accepted.calling_ae_title,
                    "called": accepted.called_ae_title,
                    "stored_count": serving.receiver.stored_count,
                    "stored_bytes": serving.receiver.stored_bytes,
                    "seconds": round(trio.current_time() - began, 3),
                },
            )

    def _idle_deadline(self) -> float:
        settings = self._site.settings
        return trio.current_time() + (
            settings.shutdown_idle_seconds if self._winding_down else settings.idle_seconds_max
        )

    async def wait_readable(self) -> bool:
        """Until the peer says something, or ``nudge``; False when it said nothing for too long."""
        self.phase = "idle"
        with trio.CancelScope(deadline=self._idle_deadline()) as self._waiting:
            if not self._nudged:
                await trio.lowlevel.wait_readable(self._socket)
        self.phase = "busy"
        nudged, self._nudged = self._nudged, False
        return nudged or not self._waiting.cancelled_caught

    def nudge(self) -> None:
        """There is something to be said to the peer."""
        self._nudged = True
        self._waiting.cancel()

    def receive_at_once(self) -> bytes | None:
        """What has come; empty at the end, None when nothing has. Prompt ACKs have to be asked for each time (see
        native.socket_io)."""
        try:
            data = os.read(self._socket.fileno(), RECEIVE_BYTES)
        except BlockingIOError:
            return None
        with contextlib.suppress(OSError):  # with TLS the socket is no TCP socket
            self._socket.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_QUICKACK, 1)
        return data

    @property
    def sending(self) -> trio.Lock:
        """Held by who writes to the socket."""
        return self._send_lock

    async def send(self, data: bytes) -> None:
        """All of it. Raises TooSlowError when the peer takes nothing for too long."""
        view = memoryview(data)
        if len(view) <= PROMPT_BYTES and not self._send_lock.locked():
            view = view[self._sent_at_once(view) :]
        if not view:
            return
        async with self._send_lock:
            while view:
                with trio.fail_after(self._site.settings.send_seconds_max):
                    view = view[await self._socket.send(view) :]

    def _sent_at_once(self, view: memoryview) -> int:
        try:
            return os.write(self._socket.fileno(), view)
        except BlockingIOError:
            return 0

    async def end(self, event: Event) -> None:
        """What bulk transfer saw ends the association."""
        for happened in self._association.observe(event, trio.current_time()):
            self._log_end(happened)
        if self._association.state is State.AWAITING_LOCAL_RELEASE:
            self._association.confirm_release(trio.current_time())
        await self._flush()

    async def abort(self, why: str) -> None:
        log.info("association aborted", extra={"association": self._number, "why": why})
        self._association.abort(trio.current_time())
        await self._flush()

    # -- the socket --------------------------------------------------------------------------------------------------

    async def _receive(self) -> list[Happened]:
        association = self._association
        deadline = association.deadline if association.deadline is not None else self._idle_deadline()
        with trio.CancelScope(deadline=deadline) as scope:
            data = await self._socket.recv(RECEIVE_BYTES)
        now = trio.current_time()
        if scope.cancelled_caught:
            happened = association.expire(now)
        elif not data:
            happened = association.receive_end(now)
        else:
            happened = association.receive_data(data, now)
        await self._flush()
        return happened

    async def _flush(self) -> None:
        output = self._association.take_output()
        if output:
            await self.send(output)

    async def _await_close(self) -> None:
        """The peer closes first (PS3.8 9.2.3, Sta13), within ARTIM."""
        while self._association.state is State.AWAITING_CLOSE:
            await self._receive()

    def _abort_now(self) -> None:
        """On the way out of a cancelled or broken session: tell the peer if the socket takes it at once."""
        self._association.abort(trio.current_time())
        output = self._association.take_output()
        if output:
            with contextlib.suppress(OSError):
                os.write(self._socket.fileno(), output)

    def _reset_on_close(self) -> None:
        """What the peer does not take is dropped with the connection, not kept by the kernel (H18)."""
        self._socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _log_end(self, happened: Happened) -> None:
        if isinstance(happened, Aborted):
            extra = {"association": self._number, "peer": self._address, "by": happened.by, "why": happened.why}
            log.info("connection ended", extra=extra)

    @property
    def number(self) -> int:
        """Of the connection, for the log."""
        return self._number

    @property
    def site(self) -> Site:
        return self._site

    @property
    def address(self) -> str:
        return self._address

    def fileno(self) -> int:
        return self._socket.fileno()

    def take_rest(self) -> bytes:
        return self._association.take_rest()


def _why(error: BaseException) -> str:
    return str(error) if isinstance(error, Gone) else type(error).__name__
