"""Why bytes are refused, in words without any value of them; short enough for an Error Comment (64 characters)."""

from typing import Final

DEPTH_MAX: Final = 64
ELEMENTS_MAX: Final = 4_000_000

REASONS: Final = {
    1: "the data set ends inside an element",
    2: "an element is longer than what is there",
    3: "a value representation is not two capital letters",
    4: f"sequences are nested deeper than {DEPTH_MAX}",
    5: "something else than an item stands in a sequence",
    6: "an element has undefined length that may not have it",
    7: f"more than {ELEMENTS_MAX} elements",
    8: "a delimiter stands where nothing is open",
    9: "SOP Class, SOP Instance, Study or Series Instance UID is missing",
    10: "a UID is not one (PS3.5 9.1: digits and dots, at most 64)",
    11: "the deflated data set cannot be inflated",
    12: "the deflated data set inflates beyond the limit",
    13: "not enough memory to read the data set",
    14: "no DICOM data set",
    15: "the file meta information is damaged",
    16: "the data set is of another instance than its command",
    17: "the SOP class is not that of the presentation context",
    18: "the presentation context is not one for storage",
    19: "there is no room to keep it: try again later",
}


class Malformed(ValueError):
    """The bytes are no data set that can be kept."""

    def __init__(self, code: int, offset: int = 0) -> None:
        super().__init__(REASONS[code])
        self.code = code
        self.offset = offset
