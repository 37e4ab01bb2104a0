"""What folding a record came to."""

from typing import Literal

import msgspec

from engine.model import Record


class FoldOutcome(msgspec.Struct, frozen=True):
    """What a store was to what is kept (see ``model.Stored``), and the record as the journal shall have it.

    ``carries``: its own bytes are to be kept under the record's key. Of an act: ``act``, as it came.
    """

    outcome: Literal["new", "same", "version", "elsewhere", "act"]
    record: Record
    carries: bool
