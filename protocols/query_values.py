"""Values to match, within bounds: the same for a C-FIND identifier and a search over the web. Pure."""

import re
from collections.abc import Iterable
from typing import Final

# PS3.5 6.2 allows 64 characters a component and three component groups; 4 kB holds them in any character set.
VALUE_BYTES_MAX: Final = 4096
# A worklist of UIDs: ten thousand of them are 640 kB.
UIDS_MAX: Final = 10_000
VALUES_MAX: Final = 256
# More of them in one value cost exponentially in some matchers and mean nothing to a reader.
WILDCARDS_MAX: Final = 16

WHOLE_TEXT: Final = frozenset({"ST", "LT", "UT", "UR"})  # never several values
_WILD: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_UID: Final = re.compile(r"[0-9.]{1,64}")


class Refused(ValueError):
    """This cannot be asked (A900, 400). ``str`` fits Error Comment: it names attributes, never values."""


def uids(parts: Iterable[str], name: str) -> tuple[str, ...]:
    """A list of UIDs, each once; empty = universal matching. Raises Refused."""
    values = tuple(dict.fromkeys(part for part in (part.strip(" \0") for part in parts) if part))
    if len(values) > UIDS_MAX:
        raise Refused(f"key {name} has more than {UIDS_MAX} UIDs")
    if values == ("*",):
        return ()
    if not all(_UID.fullmatch(value) for value in values):
        raise Refused(f"key {name} is not a list of UIDs")
    return values


def texts(parts: Iterable[str], vr: str, name: str) -> tuple[str, ...]:
    """Values of other representations; empty = universal matching. Raises Refused."""
    values = tuple(value for value in (part.strip(" ") for part in parts) if value)
    if len(values) > VALUES_MAX:
        raise Refused(f"key {name} has more than {VALUES_MAX} values")
    if vr in _WILD:
        if any(len(re.findall(r"\*+|\?", value)) > WILDCARDS_MAX for value in values):
            raise Refused(f"key {name} has more than {WILDCARDS_MAX} wild cards")
        if any(value.strip("*") == "" for value in values):
            return ()
    return values
