"""One line of ``filmroom doctor``."""

from typing import Literal

import msgspec

State = Literal["ok", "warn", "bad"]


class Check(msgspec.Struct, frozen=True):
    """What was looked at, how it is, and in ``fix`` what to do about it (empty when it is well)."""

    name: str
    state: State
    found: str
    fix: str = ""
