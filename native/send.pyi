"""The sending half of native.wire (PS3.7 9.1.1): use it from there."""

from collections.abc import Sequence

from typing_extensions import Buffer

class Sender:
    """C-STORE as SCU over an established association; ``window``: operations outstanding, when the peer granted them."""

    reason: str

    def __init__(self, *, pdu_bytes_max: int, window: int = 1) -> None: ...
    def store(
        self,
        fd: int,
        cancel_fd: int,
        jobs: Sequence[tuple[int, int, str, str, int | Buffer, int, int]],
        *,
        originator: tuple[str, int] | None = None,
        timeout_ms: int,
    ) -> list[int]:
        """jobs: (context id, message id, SOP class, SOP instance, file descriptor or buffer, offset, length of the data set).
        Returns the status of each job answered; a shorter list than jobs means the association is gone (`reason`)."""
