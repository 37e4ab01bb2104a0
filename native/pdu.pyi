"""PDUs (PS3.8 9.3) and command sets (PS3.7 6.3.1, 9.3): bytes to plain values and back. Raises ValueError on anything unsound."""

from collections.abc import Sequence
from typing import Final

from typing_extensions import Buffer

CONTROL_PDU_BYTES_MAX: Final[int]  # of every PDU that is not P-DATA-TF: a reader closes at a longer one (1 MB)
CONTEXTS_MAX: Final[int]  # presentation contexts of one association (odd ids of one byte)
ITEMS_MAX: Final[int]  # items and sub-items of one PDU

# presentation context proposed: (id, abstract syntax, [transfer syntaxes]); answered: (id, result, transfer syntax)
# role: (SOP class, scu, scp); extended negotiation: (SOP class, application information)
# user identity: (type, response requested, primary, secondary); in an answer (0, False, server response, b"")

class UserInformation:
    pdu_bytes_max: int
    implementation_class_uid: str
    implementation_version_name: str
    asynchronous_window: tuple[int, int] | None
    roles: list[tuple[str, bool, bool]]
    extended: list[tuple[str, bytes]]
    user_identity: tuple[int, bool, bytes, bytes] | None
    def __init__(self, pdu_bytes_max: int = 0, implementation_class_uid: str = "", implementation_version_name: str = "", asynchronous_window: tuple[int, int] | None = None, roles: Sequence[tuple[str, bool, bool]] = (), extended: Sequence[tuple[str, bytes]] = (), user_identity: tuple[int, bool, bytes, bytes] | None = None) -> None: ...

class AssociateRequest:
    called_ae_title: bytes  # 16 bytes as sent
    calling_ae_title: bytes
    application_context: str
    contexts: list[tuple[int, str, list[str]]]
    user: UserInformation
    protocol_version: int  # bit 0: version 1 (PS3.8 9.3.2)
    def __init__(self, called_ae_title: bytes, calling_ae_title: bytes, application_context: str, contexts: Sequence[tuple[int, str, Sequence[str]]], user: UserInformation, protocol_version: int = 1) -> None: ...

class AssociateAccept:
    called_ae_title: bytes
    calling_ae_title: bytes
    application_context: str
    contexts: list[tuple[int, int, str]]
    user: UserInformation
    protocol_version: int  # bit 0: version 1 (PS3.8 9.3.2)
    def __init__(self, called_ae_title: bytes, calling_ae_title: bytes, application_context: str, contexts: Sequence[tuple[int, int, str]], user: UserInformation, protocol_version: int = 1) -> None: ...

def decode_associate_request(body: Buffer) -> AssociateRequest: ...  # body: without the 6-byte PDU header
def decode_associate_accept(body: Buffer) -> AssociateAccept: ...
def encode_associate_request(request: AssociateRequest) -> bytes: ...  # with PDU header
def encode_associate_accept(accept: AssociateAccept) -> bytes: ...
def encode_associate_reject(result: int, source: int, reason: int) -> bytes: ...
def encode_abort(source: int, reason: int) -> bytes: ...
def encode_release_request() -> bytes: ...
def encode_release_response() -> bytes: ...
def encode_command(elements: dict[int, int | str | bytes | list[int]]) -> bytes:
    """Implicit VR LE command set with group length; keys are element numbers of group 0000, VR by PS3.7 E.1."""
def decode_command(command: Buffer) -> dict[int, int | str | bytes | list[int]]: ...
def encode_message(context_id: int, command: bytes, dataset: Buffer | None, pdu_bytes_max: int) -> bytes:
    """Command and data set as P-DATA-TF PDUs, each within the peer's maximum (0 = our own limit)."""
