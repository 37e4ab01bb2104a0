"""Who called us, and how that ended: the half of a connection test that only the peer can begin."""

from collections import OrderedDict
from typing import Final

import msgspec

# A title each; the one that has not called for longest is forgotten first.
CALLERS_COUNT_MAX: Final = 1024


class Call(msgspec.Struct, frozen=True):
    """The last association that an AE title asked for: when on trio's clock, and why it was ``refused``, if it was."""

    at_seconds: float
    address: str
    refused: str = ""


class Callers:
    """The last call of each AE title since the port was opened. In memory only, and bounded."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, Call] = OrderedDict()

    def note(self, ae_title: str, call: Call) -> None:
        """The title's last call from now on."""
        self._last[ae_title] = call
        self._last.move_to_end(ae_title)
        if len(self._last) > CALLERS_COUNT_MAX:
            self._last.popitem(last=False)

    def last(self, ae_title: str) -> Call | None:
        """None: has not called."""
        return self._last.get(ae_title.strip())
