"""Association PDUs taken apart.

Every length is checked against what encloses it before anything is read or allocated.
"""

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
from native.cursor cimport (
    Cursor,
    be16_at,
    be32_at,
    byte_at,
    bytes_of,
    cursor_over,
    holds,
    left,
    skip,
    take,
)
from native.uid cimport UID_BYTES_MAX

cdef enum:
    CONTROL_PDU_BYTES_MAX_C = 1 << 20
    ITEMS_MAX_C = 8192  # items and sub-items of one PDU: 128 contexts x about 60 transfer syntaxes
    FIXED_BYTES = 68    # protocol version, AE titles and reserved bytes before the first item

CONTROL_PDU_BYTES_MAX = CONTROL_PDU_BYTES_MAX_C
ITEMS_MAX = ITEMS_MAX_C


cdef struct Item:
    int kind
    Cursor body


cdef int next_item(Cursor* outer, Item* item, int* items_left) except -1:
    """1 and the next item, whole inside ``outer``; 0 at the end."""
    cdef size_t length
    if left(outer) == 0:
        return 0
    items_left[0] -= 1
    if items_left[0] < 0:
        raise ValueError("too many items")
    if not holds(outer, 4):
        raise ValueError("item header is cut")
    item.kind, length = byte_at(outer, 0), be16_at(outer, 2)
    skip(outer, 4)
    if not holds(outer, length):
        raise ValueError("item is longer than what encloses it")
    item.body = cursor_over(take(outer, length), length)
    return 1


cdef int need(Cursor* cursor, size_t count) except -1:
    """``count`` more bytes are there."""
    if not holds(cursor, count):
        raise ValueError("item is too short")
    return 0


cdef bytes taken(Cursor* cursor, size_t count):
    need(cursor, count)
    return bytes_of(take(cursor, count), count)


cdef str uid_of(bytes value):
    """A UID without padding; may be empty."""
    value = value.rstrip(b" \0")
    if len(value) > UID_BYTES_MAX:
        raise ValueError("UID is too long")
    if not all([0x20 < letter < 0x7F for letter in value]):
        raise ValueError("UID has a character that is not allowed")
    return value.decode("ascii")


cdef bytes rest(Cursor* cursor):
    return taken(cursor, left(cursor))


cdef bytes prefixed(Cursor* cursor):
    """A value behind its own 16-bit length (role selection, extended negotiation, identity)."""
    need(cursor, 2)
    cdef size_t length = be16_at(cursor, 0)
    skip(cursor, 2)
    return taken(cursor, length)


cdef tuple context_proposed(Cursor* body, int* items_left):
    cdef Item item
    cdef bytes head = taken(body, 4)
    cdef str abstract_syntax = None
    cdef list transfer_syntaxes = []
    while next_item(body, &item, items_left):
        if item.kind == ITEM_ABSTRACT_SYNTAX:
            if abstract_syntax is not None:
                raise ValueError("presentation context with two abstract syntaxes")
            abstract_syntax = uid_of(rest(&item.body))
        elif item.kind == ITEM_TRANSFER_SYNTAX:
            transfer_syntaxes.append(uid_of(rest(&item.body)))
    if not abstract_syntax:
        raise ValueError("presentation context without abstract syntax")
    if not transfer_syntaxes:
        raise ValueError("presentation context without transfer syntax")
    return head[0], abstract_syntax, transfer_syntaxes


cdef tuple context_answered(Cursor* body, int* items_left):
    cdef Item item
    cdef bytes head = taken(body, 4)
    cdef str transfer_syntax = ""
    while next_item(body, &item, items_left):
        if item.kind == ITEM_TRANSFER_SYNTAX:
            transfer_syntax = uid_of(rest(&item.body))
    if head[2] == 0 and not transfer_syntax:
        raise ValueError("accepted presentation context without transfer syntax")
    return head[0], head[2], transfer_syntax


cdef tuple identity_of(Cursor* body):
    cdef bytes head = taken(body, 2)
    cdef bytes primary = prefixed(body)
    return head[0], head[1] != 0, primary, prefixed(body)


cdef UserInformation user_information(Cursor* body, int* items_left):
    cdef Item item
    cdef bytes flags
    cdef str uid
    cdef UserInformation user = UserInformation()
    while next_item(body, &item, items_left):
        if item.kind == ITEM_MAXIMUM_LENGTH:
            need(&item.body, 4)
            user.pdu_bytes_max = be32_at(&item.body, 0)
        elif item.kind == ITEM_IMPLEMENTATION_CLASS:
            user.implementation_class_uid = uid_of(rest(&item.body))
        elif item.kind == ITEM_ASYNCHRONOUS_WINDOW:
            need(&item.body, 4)
            user.asynchronous_window = (be16_at(&item.body, 0), be16_at(&item.body, 2))
        elif item.kind == ITEM_ROLE:
            uid = uid_of(prefixed(&item.body))
            flags = taken(&item.body, 2)
            user.roles.append((uid, flags[0] != 0, flags[1] != 0))
        elif item.kind == ITEM_IMPLEMENTATION_VERSION:
            user.implementation_version_name = rest(&item.body).decode("latin-1").strip(" \0")
        elif item.kind == ITEM_EXTENDED:
            uid = uid_of(prefixed(&item.body))
            user.extended.append((uid, rest(&item.body)))
        elif item.kind == ITEM_IDENTITY:
            user.user_identity = identity_of(&item.body)
        elif item.kind == ITEM_IDENTITY_ANSWER:
            user.user_identity = (0, False, prefixed(&item.body), b"")
    return user


cdef int items(Cursor* body, AssociateRequest found, int context_kind) except -1:
    """Fill ``found`` from the items behind the fixed part."""
    cdef Item item
    cdef int items_left = ITEMS_MAX_C
    cdef bint seen[256]
    cdef tuple context
    memset(seen, 0, sizeof(seen))
    while next_item(body, &item, &items_left):
        if item.kind == ITEM_APPLICATION_CONTEXT:
            if found.application_context is not None:
                raise ValueError("two application contexts")
            found.application_context = uid_of(rest(&item.body))
        elif item.kind == context_kind:
            if len(found.contexts) == CONTEXTS_MAX_C:
                raise ValueError("more than 128 presentation contexts")
            if context_kind == ITEM_CONTEXT_PROPOSED:
                context = context_proposed(&item.body, &items_left)
            else:
                context = context_answered(&item.body, &items_left)
            if seen[<int>context[0]]:
                raise ValueError("presentation context id is repeated")
            if not <int>context[0] & 1:
                raise ValueError("presentation context id is even")
            seen[<int>context[0]] = True
            found.contexts.append(context)
        elif item.kind == ITEM_USER_INFORMATION:
            if found.user is not None:
                raise ValueError("two user information items")
            found.user = user_information(&item.body, &items_left)
    if found.application_context is None:
        raise ValueError("no application context")
    if found.user is None:
        raise ValueError("no user information")
    if not found.contexts:
        raise ValueError("no presentation context")
    return 0


cdef int decode(AssociateRequest found, const uint8_t[::1] body, int context_kind) except -1:
    cdef Cursor cursor
    if body.shape[0] < FIXED_BYTES or body.shape[0] > CONTROL_PDU_BYTES_MAX_C:
        raise ValueError("association PDU is too short or too long")
    cursor = cursor_over(&body[0], body.shape[0])
    found.protocol_version = be16_at(&cursor, 0)
    skip(&cursor, 4)
    found.called_ae_title, found.calling_ae_title = taken(&cursor, 16), taken(&cursor, 16)
    skip(&cursor, 32)
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
