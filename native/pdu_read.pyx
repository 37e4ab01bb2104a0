"""Association PDUs taken apart. Every length is checked against what encloses it before anything is read or allocated."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeASCII, PyUnicode_DecodeLatin1
from libc.stdint cimport uint8_t
from libc.string cimport memset

from native.associate cimport (
    CONTEXTS_MAX_C,
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
from native.cursor cimport Cursor, be16, be32, cursor_over, take

cdef enum:
    CONTROL_PDU_BYTES_MAX_C = 1 << 20
    ITEMS_MAX_C = 8192  # items and sub-items of one PDU: 128 contexts x about 60 transfer syntaxes
    UID_BYTES_MAX = 64
    FIXED_BYTES = 68    # protocol version, AE titles and reserved bytes before the first item

CONTROL_PDU_BYTES_MAX = CONTROL_PDU_BYTES_MAX_C
ITEMS_MAX = ITEMS_MAX_C


cdef struct Item:
    int kind
    Cursor body


cdef int next_item(Cursor* outer, Item* item, int* left) except -1:
    """1 and the next item, whole inside ``outer``; 0 at the end."""
    cdef const uint8_t* head
    cdef const uint8_t* body
    cdef size_t length
    if outer.at == outer.end:
        return 0
    left[0] -= 1
    if left[0] < 0:
        raise ValueError("too many items")
    head = take(outer, 4)
    if head == NULL:
        raise ValueError("item header is cut")
    length = be16(head + 2)
    body = take(outer, length)
    if body == NULL:
        raise ValueError("item is longer than what encloses it")
    item.kind = head[0]
    item.body = cursor_over(body, length)
    return 1


cdef const uint8_t* need(Cursor* cursor, size_t count) except NULL:
    cdef const uint8_t* here = take(cursor, count)
    if here == NULL:
        raise ValueError("item is too short")
    return here


cdef inline bytes rest(Cursor* cursor):
    cdef size_t count = cursor.end - cursor.at
    return PyBytes_FromStringAndSize(<const char*>cursor.data + cursor.at, count)


cdef str uid_of(Cursor* cursor):
    """The rest of ``cursor`` as a UID without padding; may be empty."""
    cdef const uint8_t* data = cursor.data + cursor.at
    cdef size_t length = cursor.end - cursor.at
    cdef size_t index
    while length and (data[length - 1] == 0 or data[length - 1] == 0x20):
        length -= 1
    if length > UID_BYTES_MAX:
        raise ValueError("UID is too long")
    for index in range(length):
        if not 0x20 < data[index] < 0x7F:
            raise ValueError("UID has a character that is not allowed")
    return PyUnicode_DecodeASCII(<const char*>data, length, NULL)


cdef str prefixed_uid(Cursor* cursor):
    """A UID behind its own 16-bit length (role selection, extended negotiation)."""
    cdef size_t length = be16(need(cursor, 2))
    cdef Cursor inner = cursor_over(need(cursor, length) if length else cursor.data, length)
    return uid_of(&inner)


cdef bytes prefixed_bytes(Cursor* cursor):
    cdef size_t length = be16(need(cursor, 2))
    return PyBytes_FromStringAndSize(<const char*>need(cursor, length), length) if length else b""


cdef tuple context_proposed(Cursor* body, int* left):
    cdef Item item
    cdef int context_id = need(body, 4)[0]
    cdef str abstract_syntax = None
    cdef list transfer_syntaxes = []
    while next_item(body, &item, left):
        if item.kind == ITEM_ABSTRACT_SYNTAX:
            if abstract_syntax is not None:
                raise ValueError("presentation context with two abstract syntaxes")
            abstract_syntax = uid_of(&item.body)
        elif item.kind == ITEM_TRANSFER_SYNTAX:
            transfer_syntaxes.append(uid_of(&item.body))
    if not abstract_syntax:
        raise ValueError("presentation context without abstract syntax")
    if not transfer_syntaxes:
        raise ValueError("presentation context without transfer syntax")
    return context_id, abstract_syntax, transfer_syntaxes


cdef tuple context_answered(Cursor* body, int* left):
    cdef Item item
    cdef const uint8_t* head = need(body, 4)
    cdef int context_id = head[0]
    cdef int result = head[2]
    cdef str transfer_syntax = ""
    while next_item(body, &item, left):
        if item.kind == ITEM_TRANSFER_SYNTAX:
            transfer_syntax = uid_of(&item.body)
    if result == 0 and not transfer_syntax:
        raise ValueError("accepted presentation context without transfer syntax")
    return context_id, result, transfer_syntax


cdef tuple identity_of(Cursor* body):
    cdef const uint8_t* head = need(body, 2)
    cdef int kind = head[0]
    cdef bint answer_requested = head[1] != 0
    cdef bytes primary = prefixed_bytes(body)
    return kind, answer_requested, primary, prefixed_bytes(body)


cdef UserInformation user_information(Cursor* body, int* left):
    cdef Item item
    cdef const uint8_t* fixed
    cdef str uid
    cdef UserInformation user = UserInformation()
    while next_item(body, &item, left):
        if item.kind == ITEM_MAXIMUM_LENGTH:
            user.pdu_bytes_max = be32(need(&item.body, 4))
        elif item.kind == ITEM_IMPLEMENTATION_CLASS:
            user.implementation_class_uid = uid_of(&item.body)
        elif item.kind == ITEM_ASYNCHRONOUS_WINDOW:
            fixed = need(&item.body, 4)
            user.asynchronous_window = (be16(fixed), be16(fixed + 2))
        elif item.kind == ITEM_ROLE:
            uid = prefixed_uid(&item.body)
            fixed = need(&item.body, 2)
            user.roles.append((uid, fixed[0] != 0, fixed[1] != 0))
        elif item.kind == ITEM_IMPLEMENTATION_VERSION:
            user.implementation_version_name = PyUnicode_DecodeLatin1(
                <const char*>item.body.data, item.body.end, NULL
            ).strip(" \0")
        elif item.kind == ITEM_EXTENDED:
            uid = prefixed_uid(&item.body)
            user.extended.append((uid, rest(&item.body)))
        elif item.kind == ITEM_IDENTITY:
            user.user_identity = identity_of(&item.body)
        elif item.kind == ITEM_IDENTITY_ANSWER:
            user.user_identity = (0, False, prefixed_bytes(&item.body), b"")
    return user


cdef int items(Cursor* body, AssociateRequest found, int context_kind) except -1:
    """Fill ``found`` from the items behind the fixed part."""
    cdef Item item
    cdef int left = ITEMS_MAX_C
    cdef bint seen[256]
    cdef tuple context
    memset(seen, 0, sizeof(seen))
    while next_item(body, &item, &left):
        if item.kind == ITEM_APPLICATION_CONTEXT:
            if found.application_context is not None:
                raise ValueError("two application contexts")
            found.application_context = uid_of(&item.body)
        elif item.kind == context_kind:
            if len(found.contexts) == CONTEXTS_MAX_C:
                raise ValueError("more than 128 presentation contexts")
            if context_kind == ITEM_CONTEXT_PROPOSED:
                context = context_proposed(&item.body, &left)
            else:
                context = context_answered(&item.body, &left)
            if seen[<int>context[0]]:
                raise ValueError("presentation context id is repeated")
            if not <int>context[0] & 1:
                raise ValueError("presentation context id is even")
            seen[<int>context[0]] = True
            found.contexts.append(context)
        elif item.kind == ITEM_USER_INFORMATION:
            if found.user is not None:
                raise ValueError("two user information items")
            found.user = user_information(&item.body, &left)
    if found.application_context is None:
        raise ValueError("no application context")
    if found.user is None:
        raise ValueError("no user information")
    if not found.contexts:
        raise ValueError("no presentation context")
    return 0


cdef int decode(AssociateRequest found, const uint8_t[::1] body, int context_kind) except -1:
    cdef const uint8_t* fixed
    cdef Cursor cursor
    if body.shape[0] < FIXED_BYTES or body.shape[0] > CONTROL_PDU_BYTES_MAX_C:
        raise ValueError("association PDU is too short or too long")
    cursor = cursor_over(&body[0], body.shape[0])
    fixed = need(&cursor, FIXED_BYTES)
    found.protocol_version = be16(fixed)
    found.called_ae_title = PyBytes_FromStringAndSize(<const char*>fixed + 4, 16)
    found.calling_ae_title = PyBytes_FromStringAndSize(<const char*>fixed + 20, 16)
    found.contexts = []
    return items(&cursor, found, context_kind)


def decode_associate_request(body):
    cdef AssociateRequest found = AssociateRequest.__new__(AssociateRequest)
    decode(found, body, ITEM_CONTEXT_PROPOSED)
    return found


def decode_associate_accept(body):
    cdef AssociateAccept found = AssociateAccept.__new__(AssociateAccept)
    decode(found, body, ITEM_CONTEXT_ANSWERED)
    return found
