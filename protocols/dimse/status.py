"""Status codes: names, and where the standard defines them."""

from enum import IntEnum


class Status(IntEnum):
    """Statuses that we answer (PS3.7 annex C, PS3.4 B.2.3, C.4.1.1.4, C.4.2.1.5)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110  # PS3.7 C.5.14
    NO_SUCH_INSTANCE = 0x0112  # PS3.7 C.5.13 no such SOP instance
    INVALID_ARGUMENT = 0x0115  # PS3.7 C.5.8 invalid argument value
    NO_SUCH_SOP_CLASS = 0x0118  # PS3.7 C.5.10
    CLASS_INSTANCE_CONFLICT = 0x0119  # PS3.7 C.5.2
    NO_SUCH_ACTION = 0x0123  # PS3.7 C.5.10 no such action type
    NOT_AUTHORISED = 0x0124  # PS3.7 C.5.17 refused: not authorised
    UNRECOGNISED_OPERATION = 0x0211  # PS3.7 C.5.24
    RESOURCE_LIMITATION = 0x0213  # PS3.7 C.5.22
    OUT_OF_RESOURCES = 0xA700  # PS3.4 B.2.3, C.4.1.1.4
    SUBOPERATIONS_FAILED = 0xA702  # PS3.4 C.4.2.1.5: unable to perform sub-operations
    MOVE_DESTINATION_UNKNOWN = 0xA801  # PS3.4 C.4.2.1.5
    IDENTIFIER_MISMATCH = 0xA900  # PS3.4 B.2.3, C.4.1.1.4: does not match the SOP class
    SUBOPERATIONS_WARNING = 0xB000  # PS3.4 C.4.2.1.5: complete, one or more failures or warnings
    UNABLE_TO_PROCESS = 0xC000  # PS3.4 C.4.1.1.4; B.2.3: cannot understand
    CANCELLED = 0xFE00  # PS3.4 C.4.1.1.4
    PENDING = 0xFF00  # PS3.4 C.4.1.1.4
    PENDING_UNSUPPORTED_KEYS = 0xFF01  # PS3.4 C.4.1.1.4


def name_of(status: int) -> str:
    """A readable name of any status, also of the ones only peers send."""
    try:
        return Status(status).name.lower().replace("_", " ")
    except ValueError:
        return f"status {status:04X}"


def is_warning(status: int) -> bool:
    """The operation was done, with something to say about it (PS3.7 C.3)."""
    return status >> 12 == 0xB or status in (0x0001, 0x0107, 0x0116)
