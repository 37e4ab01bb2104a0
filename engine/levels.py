"""Which attributes exist only below a level: at the levels above, they choose what holds one below that has them. Pure.

Of a study, ``Modality=CT`` is said by one of its series, ``SOPInstanceUID=1.2.3`` by one of its instances; several keys
of lower levels must hold in one series, or in one instance when one of them is an instance's. All other attributes that
a level does not have itself are those of its first instance.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from engine.model import Key, Level

_STUDY: Final = frozenset(("0020000D", "00080020", "00080030", "00080050", "00080061", "00081030", "00200010"))
_SERIES: Final = frozenset(
    ("0020000E", "00080021", "00080031", "00080060", "0008103E", "00180015", "00200011", "00400244", "00400245")
)
_INSTANCE: Final = frozenset(
    ("00080018", "00080016", "00080023", "00080033", "00200013", "00280008", "00280010", "00280011")
)
_BELOW: Final = {
    Level.PATIENT: _STUDY | _SERIES | _INSTANCE,
    Level.STUDY: _SERIES | _INSTANCE,
    Level.SERIES: _INSTANCE,
    Level.INSTANCE: frozenset[str](),
}
# What a study counts of all its series and instances says the same of one such key alone.
COUNTED_AS: Final = {"00080060": "00080061", "00080016": "00080062"}


def attributes_below(level: Level) -> frozenset[str]:
    """Paths of attributes that exist only below a level."""
    return _BELOW[level]


def parted(keys: Iterable[Key], level: Level) -> tuple[list[Key], list[Key]]:
    """Keys that rows of a level answer, and those with a value that choose among what is below."""
    own: list[Key] = []
    lower: list[Key] = []
    for key in keys:
        (lower if key.path in _BELOW[level] else own).append(key)
    if level == Level.STUDY and len(lower) == 1 and lower[0].path in COUNTED_AS:
        own.append(Key(COUNTED_AS[lower[0].path], lower[0].values))
        lower = []
    return own, [key for key in lower if key.values]


def level_of_lowest(lower: Sequence[Key]) -> Level:
    """The level whose rows answer all of these."""
    return Level.INSTANCE if any(key.path in _INSTANCE for key in lower) else Level.SERIES
