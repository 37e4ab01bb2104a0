"""What two peers say when they open an association (PS3.8 9.3.2, 9.3.3), as values. Use them from native.pdu."""

from collections.abc import Sequence
from typing import Final

CONTEXTS_MAX: Final[int]  # presentation contexts of one association (odd ids of one byte)

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
