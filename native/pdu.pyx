"""The door to PDUs and command sets: values in associate, pdu_read and pdu_write, and command_set."""

from native.associate import CONTEXTS_MAX, AssociateAccept, AssociateRequest, UserInformation
from native.command_set import decode_command, encode_command, encode_message
from native.pdu_read import CONTROL_PDU_BYTES_MAX, ITEMS_MAX, decode_associate_accept, decode_associate_request
from native.pdu_write import (
    encode_abort,
    encode_associate_accept,
    encode_associate_reject,
    encode_associate_request,
    encode_release_request,
    encode_release_response,
)

__all__ = [
    "CONTEXTS_MAX",
    "CONTROL_PDU_BYTES_MAX",
    "ITEMS_MAX",
    "AssociateAccept",
    "AssociateRequest",
    "UserInformation",
    "decode_associate_accept",
    "decode_associate_request",
    "decode_command",
    "encode_abort",
    "encode_associate_accept",
    "encode_associate_reject",
    "encode_associate_request",
    "encode_command",
    "encode_message",
    "encode_release_request",
    "encode_release_response",
]
