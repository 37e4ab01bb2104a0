"""A peer on a bare socket that says exactly what a test wants said."""

import struct

import trio

from native import pdu
from protocols.dimse import classes
from protocols.dimse.negotiation import propose
from tests.protocols.serving import STUDY, Served

FIND = classes.STUDY_ROOT_FIND


def request_bytes(*pairs: tuple[str, str]) -> bytes:
    wanted = list(pairs) or [(classes.VERIFICATION, classes.IMPLICIT_LITTLE)]
    return bytes(pdu.encode_associate_request(propose("PEER", "FILMROOM", wanted, 16384)))


async def receive_pdu(stream: trio.SocketStream) -> tuple[int, bytes]:
    received = b""
    while len(received) < 6 or len(received) < 6 + int.from_bytes(received[2:6], "big"):
        more = await stream.receive_some(65536)
        if not more:
            return 0, received
        received += more
    return received[0], received[6:]


async def associated(served: Served, *pairs: tuple[str, str]) -> trio.SocketStream:
    stream = await served.connect()
    await stream.send_all(request_bytes(*pairs))
    assert (await receive_pdu(stream))[0] == 2
    return stream


def element(group: int, number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", group, number, len(value)) + value


def find_message() -> bytes:
    """C-FIND-RQ for every instance of the paper archive."""

    identifier = element(8, 0x18, b"") + element(8, 0x52, b"IMAGE ")
    identifier += element(0x20, 0xD, STUDY.encode().ljust(len(STUDY) + len(STUDY) % 2, b"\0"))
    series = (STUDY + ".1").encode()
    identifier += element(0x20, 0xE, series + b"\0" * (len(series) % 2))
    command = pdu.encode_command({0x2: FIND, 0x100: 0x20, 0x110: 1, 0x700: 0, 0x800: 1})
    return bytes(pdu.encode_message(1, command, identifier, 16384))


def move_message(destination: str) -> bytes:
    """C-MOVE-RQ for the study of the paper archive."""
    identifier = element(8, 0x52, b"STUDY ")
    identifier += element(0x20, 0xD, STUDY.encode().ljust(len(STUDY) + len(STUDY) % 2, b"\0"))
    sop_class = classes.STUDY_ROOT_MOVE
    elements = {0x2: sop_class, 0x100: 0x21, 0x110: 1, 0x600: destination, 0x700: 0, 0x800: 1}
    return bytes(pdu.encode_message(1, pdu.encode_command(elements), identifier, 16384))
