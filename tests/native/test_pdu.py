"""PDUs: pynetdicom is the oracle; every cut is refused; garbage never gets further than ValueError (H4, H5, H12)."""

import random
from struct import pack

import pytest
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ

from native import pdu

CT = "1.2.840.10008.5.1.4.1.1.2"
SYNTAXES = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90"]
USER = pdu.UserInformation(
    65536, "1.2.826.0.1.1", "FILMROOM", (8, 1), [(CT, True, False)], [(CT, b"\1\0")], (2, True, b"who", b"secret")
)


def request(count: int = 3) -> pdu.AssociateRequest:
    contexts = [(2 * n + 1, f"{CT}.{n + 1}", SYNTAXES) for n in range(count)]
    return pdu.AssociateRequest(b" CALLED  ".ljust(16), b"CALLING".ljust(16), "1.2.840.10008.3.1.1.1", contexts, USER)


def item(kind: int, body: bytes) -> bytes:
    return pack(">BBH", kind, 0, len(body)) + body


def body_of(*items: bytes) -> bytes:
    return b"\0\1\0\0" + b"A".ljust(16) + b"B".ljust(16) + bytes(32) + b"".join(items)


APPLICATION = item(0x10, b"1.2.840.10008.3.1.1.1")
INFORMATION = item(0x50, item(0x51, pack(">I", 16384)))


def context(number: int) -> bytes:
    return item(0x20, bytes((number, 0, 0, 0)) + item(0x30, CT.encode()) + item(0x40, SYNTAXES[0].encode()))


def test_request_round_trip() -> None:
    first = request(128)
    second = pdu.decode_associate_request(pdu.encode_associate_request(first)[6:])
    assert second.contexts == first.contexts and second.called_ae_title == first.called_ae_title
    assert second.application_context == first.application_context and second.protocol_version == 1
    for name in ("pdu_bytes_max", "asynchronous_window", "roles", "extended", "user_identity"):
        assert getattr(second.user, name) == getattr(USER, name)
    assert second.user.implementation_version_name == "FILMROOM"


def test_request_as_pynetdicom_reads_it() -> None:
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(pdu.encode_associate_request(request()))
    primitive = theirs.to_primitive()
    assert [c.abstract_syntax for c in primitive.presentation_context_definition_list] == [
        f"{CT}.{n + 1}" for n in range(3)
    ]
    assert primitive.maximum_length_received == 65536
    ours = pdu.decode_associate_request(theirs.encode()[6:])
    assert ours.contexts == request().contexts


def test_accept_round_trip_and_oracle() -> None:
    user = pdu.UserInformation(16384, "1.2.3", "X", None, [], [], (0, False, b"answer", b""))
    accept = pdu.AssociateAccept(
        b"A".ljust(16), b"B".ljust(16), "1.2.840.10008.3.1.1.1", [(1, 0, SYNTAXES[1]), (3, 3, SYNTAXES[0])], user
    )
    wire = pdu.encode_associate_accept(accept)
    back = pdu.decode_associate_accept(wire[6:])
    assert back.contexts == accept.contexts and back.user.user_identity == (0, False, b"answer", b"")
    theirs = A_ASSOCIATE_AC()
    theirs.decode(wire)
    assert [c.result for c in theirs.to_primitive().presentation_context_definition_results_list] == [0, 3]


def test_reject_and_abort_as_pynetdicom_reads_them() -> None:
    reject = A_ASSOCIATE_RJ()
    reject.decode(pdu.encode_associate_reject(1, 1, 7))
    assert (reject.result, reject.source, reject.reason_diagnostic) == (1, 1, 7)
    abort = A_ABORT_RQ()
    abort.decode(pdu.encode_abort(2, 6))
    assert (abort.source, abort.reason_diagnostic) == (2, 6)


def test_every_cut_is_refused() -> None:
    whole = pdu.encode_associate_request(request())[6:]
    for end in range(len(whole)):
        with pytest.raises(ValueError):
            pdu.decode_associate_request(whole[:end])


def test_garbage_is_refused_or_read_never_worse() -> None:
    chance = random.Random(11)
    whole = bytearray(pdu.encode_associate_request(request())[6:])
    refused = 0
    for _ in range(3000):
        mutated = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            mutated[chance.randrange(68, len(mutated))] = chance.randrange(256)
        try:
            pdu.decode_associate_request(bytes(mutated))
        except ValueError:
            refused += 1
    assert refused > 500


def test_h04_user_information_longer_than_the_pdu() -> None:
    with pytest.raises(ValueError, match="longer"):
        pdu.decode_associate_request(body_of(APPLICATION, context(1), pack(">BBH", 0x50, 0, 5000) + INFORMATION[4:]))


@pytest.mark.parametrize("ids", [[1, 1], [2], [(2 * n + 1) % 256 for n in range(129)]])
def test_h05_context_ids(ids: list[int]) -> None:
    with pytest.raises(ValueError, match=r"context|128"):
        pdu.decode_associate_request(body_of(APPLICATION, *(context(n) for n in ids), INFORMATION))


def test_h12_sub_items() -> None:
    lying = pack(">BBH", 0x40, 0, 0xFFFF) * 16000
    with pytest.raises(ValueError, match="longer"):
        pdu.decode_associate_request(body_of(APPLICATION, pack(">BBH", 0x50, 0, 64000) + lying[:64000]))
    with pytest.raises(ValueError, match="too many"):
        pdu.decode_associate_request(body_of(APPLICATION, context(1), item(0x50, item(0x7F, b"") * 16000)))


def test_unknown_items_are_skipped() -> None:
    found = pdu.decode_associate_request(body_of(item(0x99, b"abc"), APPLICATION, context(1), INFORMATION))
    assert found.contexts == [(1, CT, [SYNTAXES[0]])]


def test_errors_hold_no_data() -> None:
    with pytest.raises(ValueError) as refused:
        pdu.decode_associate_request(body_of(APPLICATION, item(0x20, b"\1\0\0\0" + item(0x30, b"SECRET\xff"))))
    assert "SECRET" not in str(refused.value)


def test_command_round_trip() -> None:
    command = {2: CT, 0x100: 0x8020, 0x120: 7, 0x800: 1, 0x900: 0xFF00, 0x901: [0x00100010], 0x1000: "1.2.3"}
    assert pdu.decode_command(pdu.encode_command(command)) == command
    whole = pdu.encode_command(command)
    assert int.from_bytes(whole[8:12], "little") == len(whole) - 12
    sound = sum(1 for end in range(1, len(whole)) if not _refused(whole[:end]))
    assert sound == len(command)  # only a cut between two elements leaves a command set


def _refused(command: bytes) -> bool:
    try:
        pdu.decode_command(command)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("pdu_bytes_max", [0, 8, 17, 128, 16384])
def test_message_is_cut_within_the_maximum(pdu_bytes_max: int) -> None:
    command, dataset = pdu.encode_command({2: CT, 0x100: 1}), bytes(range(256)) * 3
    wire, parts, at = pdu.encode_message(5, command, dataset, pdu_bytes_max), {1: b"", 0: b""}, 0
    while at < len(wire):
        length = int.from_bytes(wire[at + 2 : at + 6], "big")
        assert wire[at] == 4 and wire[at + 10] == 5 and length == int.from_bytes(wire[at + 6 : at + 10], "big") + 4
        assert not pdu_bytes_max or length <= pdu_bytes_max
        parts[wire[at + 11] & 1] += wire[at + 12 : at + 6 + length]
        at += 6 + length
    assert parts == {1: command, 0: dataset} and wire[-len(dataset) :][:0] == b""
