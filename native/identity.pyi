"""Whether a data set is sound to its end, and which instance it is. Use it from native.dataset."""

from typing_extensions import Buffer

def check(dataset: Buffer, transfer_syntax_uid: str) -> tuple[str, str, str, str]:
    """Walk to the end; (SOP class, SOP instance, study, series) UIDs. Raises Malformed."""
