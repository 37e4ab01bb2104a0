"""The association without a socket: both sides against each other, every cut, collisions, garbage."""

import random
import struct

import pytest

pdu = pytest.importorskip("native.pdu")

from protocols.dimse.association import (  # noqa: E402
    Aborted,
    Association,
    Data,
    Established,
    Happened,
    NotNow,
    Refused,
    Released,
    ReleaseRequested,
    Requested,
)
from protocols.dimse.negotiation import APPLICATION_CONTEXT, propose  # noqa: E402
from protocols.dimse.transitions import TABLE, Event, State  # noqa: E402

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
DATA = struct.pack(">BBIIBB", 4, 0, 8, 4, 1, 3) + b"ab"


def acceptor() -> Association:
    association = Association(requestor=False, artim_seconds=10, pdu_bytes_max=131072)
    association.connected(0.0)
    return association


def requestor() -> Association:
    association = Association(requestor=True, artim_seconds=10, pdu_bytes_max=131072)
    association.connected(0.0)
    association.request(propose("A", "B", [(VERIFICATION, IMPLICIT)], 16384), 0.0)
    return association


def request_bytes() -> bytes:
    return bytes(pdu.encode_associate_request(propose("A", "B", [(VERIFICATION, IMPLICIT)], 16384)))


def answer() -> "pdu.AssociateAccept":
    return pdu.AssociateAccept(
        b"B".ljust(16),
        b"A".ljust(16),
        APPLICATION_CONTEXT,
        [(1, 0, IMPLICIT)],
        pdu.UserInformation(pdu_bytes_max=16384),
    )


def established_pair() -> tuple[Association, Association]:
    asks, serves = requestor(), acceptor()
    serves.receive_data(asks.take_output(), 0.0)
    serves.accept(answer(), 0.0)
    (event,) = asks.receive_data(serves.take_output(), 0.0)
    assert isinstance(event, Established)
    return asks, serves


def test_every_cut_of_a_conversation_gives_the_same_events() -> None:
    stream = request_bytes() + DATA + bytes(pdu.encode_release_request())

    def feed(pieces: list[bytes]) -> list[Happened]:
        association = acceptor()
        events: list[Happened] = []
        for piece in pieces:
            for event in association.receive_data(piece, 0.0):
                events.append(event)
                if isinstance(event, Requested):
                    association.accept(answer(), 0.0)
                    events += association.receive_data(b"", 0.0)
        return events

    kinds = [Requested, Data, ReleaseRequested]
    # A request must be answered before what follows it is read: a peer that does not wait is aborted (AA-8).
    head = len(request_bytes())
    for cut in range(1, head):
        assert [type(event) for event in feed([stream[:cut], stream[cut:head], stream[head:]])] == kinds
    for cut in range(head, len(stream)):
        assert [type(event) for event in feed([stream[:head], stream[head:cut], stream[cut:]])] == kinds
    assert [type(event) for event in feed([bytes([byte]) for byte in stream])] == kinds


def test_data_goes_both_ways_and_release_ends_it() -> None:
    asks, serves = established_pair()
    asks.send(DATA, 0.0)
    assert serves.receive_data(asks.take_output(), 0.0) == [Data(DATA)]
    serves.send(DATA, 0.0)
    assert asks.receive_data(serves.take_output(), 0.0) == [Data(DATA)]
    asks.release(0.0)
    assert serves.receive_data(asks.take_output(), 0.0) == [ReleaseRequested()]
    serves.confirm_release(5.0)
    assert serves.deadline == 15.0
    assert asks.receive_data(serves.take_output(), 0.0) == [Released()]
    assert asks.must_close and asks.state is State.IDLE
    serves.receive_end(6.0)
    assert serves.must_close and serves.deadline is None


def test_release_collision_ends_both() -> None:
    asks, serves = established_pair()
    asks.release(0.0)
    serves.release(0.0)
    assert asks.receive_data(serves.take_output(), 0.0) == [ReleaseRequested()]
    assert serves.receive_data(asks.take_output(), 0.0) == [ReleaseRequested()]
    assert (asks.state, serves.state) == (State.COLLISION_REQUESTOR_LOCAL, State.COLLISION_ACCEPTOR_PEER)
    asks.confirm_release(0.0)
    assert serves.receive_data(asks.take_output(), 0.0) == [Released()]
    serves.confirm_release(0.0)
    assert asks.receive_data(serves.take_output(), 0.0) == [Released()]


def test_rejection_is_reported_with_its_reason() -> None:
    asks, serves = requestor(), acceptor()
    serves.receive_data(asks.take_output(), 0.0)
    serves.reject(1, 1, 7, 0.0)
    assert asks.receive_data(serves.take_output(), 0.0) == [Refused(1, 1, 7)]
    assert asks.must_close and serves.state is State.AWAITING_CLOSE


def test_artim_is_a_deadline() -> None:
    association = acceptor()
    assert association.deadline == 10.0
    (event,) = association.expire(10.0)
    assert isinstance(event, Aborted) and association.must_close


def test_local_requests_that_the_state_forbids_are_bugs() -> None:
    with pytest.raises(NotNow):
        acceptor().release(0.0)
    with pytest.raises(NotNow):
        acceptor().send(DATA, 0.0)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", [Event.RELEASE_RQ_PDU, Event.ABORT_PDU, Event.INVALID_PDU, Event.CLOSED])
def test_what_bulk_transfer_saw_is_the_table(state: State, event: Event) -> None:
    association = acceptor()
    association.state = state
    association.observe(event, 0.0)
    if (state, event) not in TABLE:
        assert association.state is state


def aborted(data: bytes) -> Aborted:
    association = acceptor()
    events = association.receive_data(data, 0.0)
    assert len(events) == 1 and isinstance(events[0], Aborted)
    assert association.take_output()[0] == 7
    assert association.state is State.AWAITING_CLOSE
    return events[0]


def test_H01_length_of_4_gigabytes_aborts_on_the_header_alone() -> None:
    aborted(b"\x01\x00\xff\xff\xff\xff")
    aborted(b"\x01\x00" + struct.pack(">I", (1 << 20) + 1))


def test_H06_data_longer_than_we_announced_aborts_on_the_header_alone() -> None:
    _, serves = established_pair()
    (event,) = serves.receive_data(b"\x04\x00" + struct.pack(">I", 131073), 0.0)
    assert isinstance(event, Aborted) and serves.take_output()[0] == 7


def test_H02_unknown_type_aborts() -> None:
    assert aborted(b"\x42\x00\x00\x00\x00\x04").reason == 1


def test_H03_data_before_association_aborts() -> None:
    aborted(DATA)


def test_H04_user_information_longer_than_the_pdu_aborts() -> None:
    request = bytearray(request_bytes())
    at = request.rindex(b"\x50\x00")
    request[at + 2 : at + 4] = b"\xff\xff"
    aborted(bytes(request))


@pytest.mark.parametrize("identifiers", [[1, 1], [2], [2 * (n % 128) + 1 for n in range(900)]])
def test_H05_contexts_too_many_repeated_or_even_abort(identifiers: list[int]) -> None:
    syntax = b"\x40\x00" + struct.pack(">H", len(IMPLICIT)) + IMPLICIT.encode()
    abstract = b"\x30\x00" + struct.pack(">H", len(VERIFICATION)) + VERIFICATION.encode()
    contexts = b"".join(
        b"\x20\x00" + struct.pack(">HBBBB", 4 + len(abstract + syntax), n, 0, 0, 0) + abstract + syntax
        for n in identifiers
    )
    application = b"\x10\x00" + struct.pack(">H", len(APPLICATION_CONTEXT)) + APPLICATION_CONTEXT.encode()
    body = struct.pack(">HH", 1, 0) + b"B".ljust(16) + b"A".ljust(16) + bytes(32) + application + contexts
    body += b"\x50\x00\x00\x08\x51\x00\x00\x04\x00\x00\x40\x00"
    aborted(b"\x01\x00" + struct.pack(">I", len(body)) + body)


def test_H12_sub_items_that_declare_more_than_there_is_abort() -> None:
    body = struct.pack(">HH", 1, 0) + b"B".ljust(16) + b"A".ljust(16) + bytes(32) + b"\x50\x00\xff\xff" * 16000
    aborted(b"\x01\x00" + struct.pack(">I", len(body)) + body)


def test_H09_mutated_pdus_end_in_events_not_exceptions() -> None:
    chance = random.Random(9)
    stream = request_bytes() + DATA + bytes(pdu.encode_release_request())
    for _ in range(300):
        mutant = bytearray(stream)
        for _ in range(chance.randint(1, 8)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        if chance.random() < 0.3:
            del mutant[chance.randrange(len(mutant)) :]
        association = acceptor()
        for event in association.receive_data(bytes(mutant), 0.0):
            if isinstance(event, Requested):
                association.abort(0.0)
        association.receive_end(0.0)
        assert association.state in (State.IDLE, State.AWAITING_CLOSE)
