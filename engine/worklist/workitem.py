"""What is kept of a worklist, row by row. Bodies are msgpack: fields are added, never given another meaning."""

import re
from typing import Final

import msgspec

from engine.errors import Corrupt, Invalid
from engine.model import Key
from engine.worklist.states import FINAL, State

FORM: Final = 1
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_AE_TITLE: Final = re.compile(r"(?! )[\x20-\x5b\x5d-\x7e]{1,16}(?<! )")


class Workitem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One workitem. ``data``: its attributes, Explicit VR Little Endian in UTF-8, without the Transaction UID, which
    whoever claimed it alone knows. Moments in microseconds since 1970, UTC; ``ended_us`` 0: it has not ended."""

    form: int = FORM
    uid: str
    state: State
    data: bytes
    transaction_uid: str = ""
    created_us: int
    ended_us: int = 0

    @property
    def is_final(self) -> bool:
        """Whether it has ended: it changes no more."""
        return self.state in FINAL


class Subscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """One AE's to one workitem; there is none where none is kept. ``is_locked``: the workitem is kept until its end
    was seen (a deletion lock)."""

    is_locked: bool = False


class Global(msgspec.Struct, frozen=True, omit_defaults=True):
    """One AE's to what will be created: to what matches ``keys``, to all when there are none."""

    is_locked: bool = False
    keys: tuple[Key, ...] = ()


class Stored(msgspec.Struct, frozen=True):
    """A name under which a worklist keeps something."""

    kind: str
    uid: str = ""
    ae_title: str = ""

    def __str__(self) -> str:
        return "\n".join((self.kind, self.uid, self.ae_title))


def of_workitem(uid: str) -> str:
    """The row of a workitem. Raises Invalid for what is no UID."""
    if len(uid) > 64 or not _UID.fullmatch(uid):
        raise Invalid("a UID is digits and dots, at most 64")
    return str(Stored("workitem", uid))


def of_subscription(uid: str, ae_title: str) -> str:
    """The row of one AE's subscription to one workitem."""
    return str(Stored("subscription", uid, checked_ae_title(ae_title)))


def of_global(ae_title: str) -> str:
    """The row of one AE's subscription to all."""
    return str(Stored("global", "", checked_ae_title(ae_title)))


def checked_ae_title(ae_title: str) -> str:
    """The title, if it is one. Raises Invalid."""
    if not _AE_TITLE.fullmatch(ae_title):
        raise Invalid("an AE title is 1 to 16 printable characters without backslash")
    return ae_title


_KINDS: Final = {"workitem": Workitem, "subscription": Subscription, "global": Global}
Kept = Workitem | Subscription | Global


def parse(name: str, body: bytes | None) -> tuple[Stored, Kept | None]:
    """A row of the table as it was kept; without a body it is gone. Raises Corrupt."""
    kind, uid, ae_title = name.split("\n") if name.count("\n") == 2 else ("", "", "")
    if kind not in _KINDS:
        raise Corrupt("the worklist holds what this version does not know: use a newer Filmroom")
    stored = Stored(kind, uid, ae_title)
    if body is None:
        return stored, None
    try:
        return stored, msgspec.msgpack.decode(body, type=_KINDS[kind])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"the worklist holds a {kind} that cannot be read") from error
