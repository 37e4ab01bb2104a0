"""What two peers say when they open an association (PS3.8 9.3.2, 9.3.3), as values; and the items that say it."""

cdef enum:
    CONTEXTS_MAX_C = 128
    ITEM_APPLICATION_CONTEXT = 0x10
    ITEM_CONTEXT_PROPOSED = 0x20
    ITEM_CONTEXT_ANSWERED = 0x21
    ITEM_ABSTRACT_SYNTAX = 0x30
    ITEM_TRANSFER_SYNTAX = 0x40
    ITEM_USER_INFORMATION = 0x50
    ITEM_MAXIMUM_LENGTH = 0x51
    ITEM_IMPLEMENTATION_CLASS = 0x52
    ITEM_ASYNCHRONOUS_WINDOW = 0x53
    ITEM_ROLE = 0x54
    ITEM_IMPLEMENTATION_VERSION = 0x55
    ITEM_EXTENDED = 0x56
    ITEM_IDENTITY = 0x58
    ITEM_IDENTITY_ANSWER = 0x59

cdef class UserInformation:
    cdef readonly unsigned int pdu_bytes_max
    cdef readonly str implementation_class_uid
    cdef readonly str implementation_version_name
    cdef readonly object asynchronous_window
    cdef readonly list roles
    cdef readonly list extended
    cdef readonly object user_identity

cdef class AssociateRequest:
    cdef readonly bytes called_ae_title
    cdef readonly bytes calling_ae_title
    cdef readonly str application_context
    cdef readonly list contexts
    cdef readonly UserInformation user
    cdef readonly int protocol_version

cdef class AssociateAccept(AssociateRequest):
    pass
