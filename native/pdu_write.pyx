"""Association PDUs put together (PS3.8 9.3.2 to 9.3.8)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from native.associate cimport (
    ITEM_ABSTRACT_SYNTAX,
    ITEM_APPLICATION_CONTEXT,
    ITEM_ASYNCHRONOUS_WINDOW,
    ITEM_CONTEXT_ANSWERED,
    ITEM_CONTEXT_PROPOSED,
    ITEM_EXTENDED,
    ITEM_IDENTITY,
    ITEM_IDENTITY_ANSWER,
    ITEM_IMPLEMENTATION_CLASS,
    ITEM_IMPLEMENTATION_VERSION,
    ITEM_MAXIMUM_LENGTH,
    ITEM_ROLE,
    ITEM_TRANSFER_SYNTAX,
    ITEM_USER_INFORMATION,
    AssociateAccept,
    AssociateRequest,
    UserInformation,
)
from native.cursor cimport put_be16, put_be32


cdef bytes item_bytes(int kind, bytes body):
    cdef size_t length = len(body)
    cdef bytes item
    cdef uint8_t* at
    if length > 0xFFFF:
        raise ValueError("item is too long to be sent")
    item = PyBytes_FromStringAndSize(NULL, length + 4)
    at = <uint8_t*>PyBytes_AS_STRING(item)
    at[0] = kind
    at[1] = 0
    put_be16(at + 2, length)
    memcpy(at + 4, PyBytes_AS_STRING(body), length)
    return item


cdef bytes prefixed(bytes value):
    if len(value) > 0xFFFF:
        raise ValueError("value is too long to be sent")
    return len(value).to_bytes(2, "big") + value


cdef bytes user_item(UserInformation user, bint answer):
    cdef list parts = [item_bytes(ITEM_MAXIMUM_LENGTH, user.pdu_bytes_max.to_bytes(4, "big"))]
    parts.append(item_bytes(ITEM_IMPLEMENTATION_CLASS, user.implementation_class_uid.encode("ascii")))
    if user.asynchronous_window is not None:
        invoked, performed = user.asynchronous_window
        parts.append(item_bytes(ITEM_ASYNCHRONOUS_WINDOW, invoked.to_bytes(2, "big") + performed.to_bytes(2, "big")))
    for uid, scu, scp in user.roles:
        parts.append(item_bytes(ITEM_ROLE, prefixed(uid.encode("ascii")) + bytes((bool(scu), bool(scp)))))
    if user.implementation_version_name:
        parts.append(item_bytes(ITEM_IMPLEMENTATION_VERSION, user.implementation_version_name.encode("latin-1")))
    for uid, information in user.extended:
        parts.append(item_bytes(ITEM_EXTENDED, prefixed(uid.encode("ascii")) + information))
    if user.user_identity is not None:
        kind, requested, primary, secondary = user.user_identity
        if answer:
            parts.append(item_bytes(ITEM_IDENTITY_ANSWER, prefixed(primary)))
        else:
            body = bytes((kind, bool(requested))) + prefixed(primary) + prefixed(secondary)
            parts.append(item_bytes(ITEM_IDENTITY, body))
    return item_bytes(ITEM_USER_INFORMATION, b"".join(parts))


cdef bytes pdu_bytes(int kind, bytes body):
    cdef bytes pdu = PyBytes_FromStringAndSize(NULL, len(body) + 6)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(pdu)
    at[0] = kind
    at[1] = 0
    put_be32(at + 2, len(body))
    memcpy(at + 6, PyBytes_AS_STRING(body), len(body))
    return pdu


cdef bytes fixed_part(AssociateRequest message):
    if len(message.called_ae_title) > 16 or len(message.calling_ae_title) > 16:
        raise ValueError("AE title is longer than 16 bytes")
    titles = message.called_ae_title.ljust(16) + message.calling_ae_title.ljust(16)
    return message.protocol_version.to_bytes(2, "big") + bytes(2) + titles + bytes(32)


def encode_associate_request(AssociateRequest request not None):
    cdef list parts = [fixed_part(request)]
    parts.append(item_bytes(ITEM_APPLICATION_CONTEXT, request.application_context.encode("ascii")))
    for context_id, abstract_syntax, transfer_syntaxes in request.contexts:
        body = bytes((context_id, 0, 0, 0)) + item_bytes(ITEM_ABSTRACT_SYNTAX, abstract_syntax.encode("ascii"))
        for uid in transfer_syntaxes:
            body += item_bytes(ITEM_TRANSFER_SYNTAX, uid.encode("ascii"))
        parts.append(item_bytes(ITEM_CONTEXT_PROPOSED, body))
    parts.append(user_item(request.user, False))
    return pdu_bytes(1, b"".join(parts))


def encode_associate_accept(AssociateAccept accept not None):
    cdef list parts = [fixed_part(accept)]
    parts.append(item_bytes(ITEM_APPLICATION_CONTEXT, accept.application_context.encode("ascii")))
    for context_id, result, transfer_syntax in accept.contexts:
        body = item_bytes(ITEM_TRANSFER_SYNTAX, transfer_syntax.encode("ascii"))
        parts.append(item_bytes(ITEM_CONTEXT_ANSWERED, bytes((context_id, 0, result, 0)) + body))
    parts.append(user_item(accept.user, True))
    return pdu_bytes(2, b"".join(parts))


def encode_associate_reject(int result, int source, int reason):
    return pdu_bytes(3, bytes((0, result, source, reason)))


def encode_release_request():
    return pdu_bytes(5, bytes(4))


def encode_release_response():
    return pdu_bytes(6, bytes(4))


def encode_abort(int source, int reason):
    return pdu_bytes(7, bytes((0, 0, source, reason)))
