"""SOP class extended negotiation of query and retrieve (PS3.7 D.3.3.5, PS3.4 C.5): what goes beyond the base."""

from collections.abc import Iterable

import msgspec

from protocols.dimse import classes


class Options(msgspec.Struct, frozen=True):
    """The bytes of the application information, in their order (PS3.4 tables C.5-1 and C.5-3).

    Retrieve has ``relational`` alone.
    """

    relational: bool = False
    combined_date_time: bool = False
    fuzzy: bool = False
    zone: bool = False

    def encode(self) -> bytes:
        """The application information of an answer."""
        return bytes(msgspec.structs.astuple(self))


# What this archive does when it is asked for; a service that learns one says so here.
OFFERED_FIND = Options(relational=True, combined_date_time=True, fuzzy=True, zone=True)
OFFERED_RETRIEVE = Options(relational=True)


def agreed(proposed: Iterable[tuple[str, bytes]], offered: Options | None = None) -> dict[str, Options]:
    """What is proposed and offered both, for each SOP class of query and retrieve. ``offered`` None: what we do."""
    ours = dict.fromkeys(classes.MOVE | classes.GET, offered or OFFERED_RETRIEVE)
    ours |= dict.fromkeys(classes.FIND, offered or OFFERED_FIND)
    return {sop_class: _agree(information, ours[sop_class]) for sop_class, information in proposed if sop_class in ours}


def _agree(information: bytes, offered: Options) -> Options:
    asked = [byte == 1 for byte in information[:4].ljust(4, b"\0")]
    return Options(*(wanted and does for wanted, does in zip(asked, msgspec.structs.astuple(offered), strict=True)))
