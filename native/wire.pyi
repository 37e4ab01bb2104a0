"""Bulk DIMSE transfer on a connected, non-blocking socket without the GIL (PS3.8 9.3, PS3.7 6.3)."""

from collections.abc import Buffer, Sequence
from typing import Final

from native.lane import Lane

EVENT_NEED: Final[int]  # budget used up, more may come at once
EVENT_MESSAGE: Final[int]  # a whole message that is not C-STORE/C-ECHO: take_message()
EVENT_RELEASE: Final[int]  # A-RELEASE-RQ seen
EVENT_RELEASED: Final[int]  # A-RELEASE-RP seen
EVENT_ABORT: Final[int]  # A-ABORT seen
EVENT_EOF: Final[int]
EVENT_IDLE: Final[int]  # silence for idle_ms
EVENT_CANCEL: Final[int]  # cancel_fd became readable
EVENT_ERROR: Final[int]  # protocol error or I/O error: `reason`

class Receiver:
    """Assembles PDUs and PDVs of one association; stores C-STORE messages through the lane and answers them; answers C-ECHO.

    State survives between calls: a lease may end in the middle of a PDV. One caller at a time.
    """

    reason: str
    stored_count: int
    stored_bytes: int
    refused: list[tuple[int, int]]  # (status, reason code) of stores refused since last read; bounded

    def __init__(
        self,
        contexts: dict[int, tuple[str, str, bool]],  # id -> (abstract syntax, transfer syntax, is storage)
        lane: Lane | None,
        *,
        pdu_bytes_max: int,
        command_bytes_max: int,
        dataset_bytes_max: int,  # of messages that are handed to Python (C-FIND identifiers ...)
    ) -> None: ...
    def run(self, fd: int, cancel_fd: int, idle_ms: int, budget_bytes: int) -> int:
        """A lease: receive, store, answer until something ends it. Returns EVENT_*."""
    def feed(self, data: Buffer) -> int:
        """Bytes from elsewhere (TLS, leftovers of negotiation, tests). Returns EVENT_*; call again with b"" after a message
        was taken. Answers gather for take_output()."""
    def take_output(self) -> bytes: ...
    def trim(self) -> None:
        """Gives back the buffers that an idle association does not need."""
    def take_message(self) -> tuple[int, bytes, bytes | None]:
        """(context id, command set, data set or None)."""

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
