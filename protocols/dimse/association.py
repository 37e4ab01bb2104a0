"""One association without its socket (PS3.8 9): bytes and local decisions in, events and bytes to send out.

Time comes in as ``now`` and goes out as ``deadline`` (ARTIM, PS3.8 9.1.5): whoever owns the socket waits until then and
calls ``expire``. Data PDUs come out whole and unread; bulk transfer may take the socket over while ESTABLISHED
(``take_rest``) and report what it saw to ``observe``.
"""

from typing import Literal

import msgspec

from native import pdu
from protocols.dimse.negotiation import check_sound
from protocols.dimse.transitions import NEXT_STATE, TABLE, Action, Event, State

HEADER_BYTES = 6
# An A-ASSOCIATE-RQ of 128 contexts with 64 syntaxes each is 600 kB; nothing sound is longer.
CONTROL_BYTES_MAX = 1 << 20

_EVENT_OF_TYPE = {
    0x01: Event.ASSOCIATE_RQ_PDU,
    0x02: Event.ASSOCIATE_AC_PDU,
    0x03: Event.ASSOCIATE_RJ_PDU,
    0x04: Event.DATA_PDU,
    0x05: Event.RELEASE_RQ_PDU,
    0x06: Event.RELEASE_RP_PDU,
    0x07: Event.ABORT_PDU,
}
_FIXED_BODY_BYTES = {0x03: 4, 0x05: 4, 0x06: 4, 0x07: 4}

BY_USER, BY_PROVIDER = 0, 2
REASON_NOT_SPECIFIED, REASON_UNRECOGNISED, REASON_UNEXPECTED, REASON_INVALID_VALUE = 0, 1, 2, 6


class Requested(msgspec.Struct, frozen=True):
    """The peer asks for an association: answer with ``accept`` or ``reject``."""

    request: pdu.AssociateRequest


class Established(msgspec.Struct, frozen=True):
    """The peer accepted ours."""

    answer: pdu.AssociateAccept


class Refused(msgspec.Struct, frozen=True):
    """The peer rejected ours (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int


class Data(msgspec.Struct, frozen=True):
    """One P-DATA-TF PDU, header and all."""

    pdu: bytes


class ReleaseRequested(msgspec.Struct, frozen=True):
    """The peer wants to end: answer with ``confirm_release``."""


class Released(msgspec.Struct, frozen=True):
    """The peer confirmed our release."""


class Aborted(msgspec.Struct, frozen=True):
    """The association is gone. ``source`` and ``reason`` as in PS3.8 table 9-26."""

    by: Literal["peer", "us", "transport"]
    source: int
    reason: int
    why: str


Happened = Requested | Established | Refused | Data | ReleaseRequested | Released | Aborted


class NotNow(Exception):
    """A local request that the state does not allow: a bug of the caller."""


class Association:
    """The state of one association, on either side."""

    def __init__(self, *, requestor: bool, artim_seconds: float, pdu_bytes_max: int) -> None:
        self.state = State.IDLE
        self.deadline: float | None = None
        self.must_close = False
        self._requestor = requestor
        self._artim_seconds = artim_seconds
        self._pdu_bytes_max = pdu_bytes_max
        self._received = bytearray()
        self._output = bytearray()
        self._happened: list[Happened] = []
        self._request: pdu.AssociateRequest | None = None
        self._now = 0.0

    # -- the transport ---------------------------------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """The connection is there: the acceptor waits for a request, the requestor may send one."""
        self._now = now
        if self._requestor:
            self._step(Event.ASSOCIATE_REQUEST)
        else:
            self._step(Event.CONNECTION_INDICATION)

    def receive_data(self, data: bytes, now: float) -> list[Happened]:
        """Bytes from the peer, cut anywhere."""
        self._now = now
        self._received += data
        while self.state is not State.IDLE and self._receive_one():
            pass
        return self._take_happened()

    def receive_end(self, now: float) -> list[Happened]:
        """The connection is closed."""
        self._now = now
        self._step(Event.CLOSED)
        return self._take_happened()

    def expire(self, now: float) -> list[Happened]:
        """``deadline`` has passed."""
        self._now = now
        if self.deadline is not None:
            self._step(Event.ARTIM_EXPIRED)
        return self._take_happened()

    def observe(self, event: Event, now: float) -> list[Happened]:
        """What bulk transfer saw on the socket in our stead: a release, an abort, an unsound PDU."""
        self._now = now
        self._step(event)
        return self._take_happened()

    def take_output(self) -> bytes:
        """Bytes to send now, in one send."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def take_rest(self) -> bytes:
        """Received bytes that are not yet a PDU: for bulk transfer that takes over."""
        rest = bytes(self._received)
        self._received.clear()
        return rest

    # -- local decisions -------------------------------------------------------------------------------------------

    def request(self, request: pdu.AssociateRequest, now: float) -> None:
        """Ask for an association (requestor, after ``connected``)."""
        self._now = now
        self._require(Event.CONNECTED)
        self._request = request
        self._step(Event.CONNECTED)

    def accept(self, answer: pdu.AssociateAccept, now: float) -> None:
        self._local(Event.ASSOCIATE_ACCEPT, pdu.encode_associate_accept(answer), now)

    def reject(self, result: int, source: int, reason: int, now: float) -> None:
        self._local(Event.ASSOCIATE_REJECT, pdu.encode_associate_reject(result, source, reason), now)

    def send(self, data_pdus: bytes, now: float) -> None:
        """Whole P-DATA-TF PDUs, as ``native.pdu.encode_message`` makes them."""
        self._local(Event.DATA_REQUEST, data_pdus, now)

    def release(self, now: float) -> None:
        self._local(Event.RELEASE_REQUEST, pdu.encode_release_request(), now)

    def confirm_release(self, now: float) -> None:
        self._local(Event.RELEASE_RESPONSE, pdu.encode_release_response(), now)

    def abort(self, now: float) -> None:
        """End it at once, in any state; nothing happens where there is nothing to abort."""
        self._now = now
        if (self.state, Event.ABORT_REQUEST) in TABLE:
            self._step(Event.ABORT_REQUEST)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _receive_one(self) -> bool:
        """Take one PDU from what was received; False when there is no whole one."""
        if len(self._received) < HEADER_BYTES:
            return False
        kind = self._received[0]
        length = int.from_bytes(self._received[2:6], "big")
        if kind not in _EVENT_OF_TYPE:
            return self._unsound(REASON_UNRECOGNISED, f"PDU of unknown type {kind:#04x}")
        if not self._length_is_sound(kind, length):
            return self._unsound(REASON_INVALID_VALUE, f"PDU of type {kind:#04x} with a length that cannot be")
        if len(self._received) < HEADER_BYTES + length:
            return False
        whole = bytes(self._received[: HEADER_BYTES + length])
        del self._received[: HEADER_BYTES + length]
        self._receive_pdu(kind, whole)
        return True

    def _length_is_sound(self, kind: int, length: int) -> bool:
        if kind == 0x04:
            return length <= self._pdu_bytes_max
        if kind in _FIXED_BODY_BYTES:
            return length == _FIXED_BODY_BYTES[kind]
        return length <= CONTROL_BYTES_MAX

    def _receive_pdu(self, kind: int, whole: bytes) -> None:
        event = _EVENT_OF_TYPE[kind]
        body = whole[HEADER_BYTES:]
        action = TABLE.get((self.state, event))
        happened: Happened | None = None
        try:
            if action is Action.AE_6:
                request = pdu.decode_associate_request(body)
                check_sound(request)
                happened = Requested(request)
            elif action is Action.AE_3:
                happened = Established(pdu.decode_associate_accept(body))
        except ValueError as error:
            self._unsound(REASON_INVALID_VALUE, str(error))
            return
        if action is Action.AE_4:
            happened = Refused(body[1], body[2], body[3])
        elif action in (Action.DT_2, Action.AR_6):
            happened = Data(whole)
        elif action is Action.AA_3:
            happened = Aborted("peer", body[2], body[3], "A-ABORT from the peer")
        self._step(event, happened)

    def _unsound(self, reason: int, why: str) -> bool:
        """An invalid PDU: what follows it cannot be read either."""
        self._received.clear()
        self._step(Event.INVALID_PDU, None, reason, why)
        return False

    def _local(self, event: Event, output: bytes, now: float) -> None:
        self._now = now
        self._require(event)
        self._output += output
        self._step(event)

    def _require(self, event: Event) -> None:
        if (self.state, event) not in TABLE:
            raise NotNow(f"{event.name} in {self.state.name}")

    def _step(
        self, event: Event, happened: Happened | None = None, reason: int = REASON_UNEXPECTED, why: str = ""
    ) -> None:
        action = TABLE.get((self.state, event))
        if action is None:
            return
        self.state = self._next_state(action)
        if action is Action.AE_1:
            return
        self._act(action, event, reason, why)
        if happened is not None:
            self._happened.append(happened)
        if self.state is State.IDLE:
            self.must_close = True

    def _next_state(self, action: Action) -> State:
        if action is Action.AR_8 and not self._requestor:
            return State.COLLISION_ACCEPTOR_PEER
        return NEXT_STATE[action]

    def _act(self, action: Action, event: Event, reason: int, why: str) -> None:
        """The effects of an action beside its next state; data and answers are queued by whoever asked for them."""
        match action:
            case Action.AE_2:
                assert self._request is not None
                self._output += pdu.encode_associate_request(self._request)
            case Action.AR_2 | Action.AR_8:
                self._happened.append(ReleaseRequested())
            case Action.AR_3 | Action.AR_10:
                self._happened.append(Released())
            case Action.AA_1:
                source = BY_USER if event is Event.ABORT_REQUEST else BY_PROVIDER
                self._abort(source, REASON_NOT_SPECIFIED if source == BY_USER else reason, why or event.name)
            case Action.AA_7:
                self._output += pdu.encode_abort(BY_PROVIDER, reason)
            case Action.AA_8:
                self._abort(BY_PROVIDER, reason, why or f"{event.name} out of place")
            case Action.AA_4:
                self._happened.append(Aborted("transport", BY_PROVIDER, 0, "connection closed"))
            case Action.AA_2 | Action.AA_5 if event is not Event.ABORT_REQUEST:
                self._happened.append(Aborted("transport", BY_PROVIDER, 0, why or event.name))
            case _:
                pass
        self._set_deadline(action)

    def _abort(self, source: int, reason: int, why: str) -> None:
        self._output += pdu.encode_abort(source, reason)
        self._happened.append(Aborted("us", source, reason, why))

    def _set_deadline(self, action: Action) -> None:
        if action in (Action.AE_5, Action.AE_8, Action.AR_4, Action.AA_1, Action.AA_8):
            self.deadline = self._now + self._artim_seconds
        elif self.state is not State.AWAITING_CLOSE:
            self.deadline = None

    def _take_happened(self) -> list[Happened]:
        happened, self._happened = self._happened, []
        return happened
