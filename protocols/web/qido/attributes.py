"""What rows of a search hold (PS3.18 tables 10.6.3-3 to 10.6.3-5), beside what is asked for."""

from typing import Final

from engine.model import Level
from native import dataset
from native.parts import representation

CHARACTER_SET: Final = 0x00080005
AVAILABILITY: Final = 0x00080056
TIMEZONE: Final = 0x00080201
RETRIEVE_URL: Final = 0x00081190
AVAILABLE_TRANSFER_SYNTAX: Final = 0x00083002
STUDY_UID: Final = 0x0020000D
SERIES_UID: Final = 0x0020000E
SOP_INSTANCE_UID: Final = 0x00080018

# Always there, empty when they are unknown (C29).
STUDY: Final = frozenset((
    0x00080020, 0x00080030, 0x00080050, AVAILABILITY, 0x00080061, 0x00080090, 0x00081030, RETRIEVE_URL, 0x00100010,
    0x00100020, 0x00100021, 0x00100030, 0x00100040, STUDY_UID, 0x00200010, 0x00201206, 0x00201208,
))  # fmt: skip
SERIES: Final = frozenset(
    (AVAILABILITY, 0x00080060, 0x0008103E, RETRIEVE_URL, STUDY_UID, SERIES_UID, 0x00200011, 0x00201209)
)
INSTANCE: Final = frozenset((
    0x00080016, SOP_INSTANCE_UID, AVAILABILITY, RETRIEVE_URL, AVAILABLE_TRANSFER_SYNTAX, STUDY_UID, SERIES_UID,
    0x00200013,
))  # fmt: skip
# There when the data set has them.
OPTIONAL: Final = {
    Level.STUDY: frozenset((CHARACTER_SET, TIMEZONE)),
    Level.SERIES: frozenset((CHARACTER_SET, TIMEZONE, 0x00080021, 0x00080031, 0x00400244, 0x00400245, 0x00400275)),
    Level.INSTANCE: frozenset((CHARACTER_SET, TIMEZONE, 0x00280008, 0x00280010, 0x00280011, 0x00280100)),
}
# Counted, not stored: the engine adds them to rows of lower levels when the query names them.
COUNTED: Final = frozenset(
    (0x00080061, 0x00080062, 0x00201200, 0x00201202, 0x00201204, 0x00201206, 0x00201208, 0x00201209)
)


def always_at(level: Level, has_study: bool, has_series: bool) -> frozenset[int]:
    """Of a level, and of the levels above that the path does not name."""
    if level == Level.STUDY:
        return STUDY
    above = frozenset() if has_study else STUDY
    if level == Level.SERIES:
        return SERIES | above
    return INSTANCE | above | (frozenset() if has_series else SERIES)


def blanks(tags: frozenset[int]) -> bytes:
    """Empty elements of these attributes, as a header."""
    names = {tag: representation(tag).replace("XS", "US") for tag in sorted(tags)}
    return b"".join(dataset.element(tag, name, b"") for tag, name in names.items())
