"""The receiving half of native.wire (PS3.8 9.3, PS3.7 6.3): use it from there."""



from native.lane import Lane

from typing_extensions import Buffer

class Receiver:
    """Assembles PDUs and PDVs of one association; stores C-STORE messages through the lane and answers them; answers C-ECHO.

    State survives between calls: a lease may end in the middle of a PDV. One caller at a time.
    """

    reason: str
    at_rest: bool  # nothing of a message has come that is not taken or answered
    stored_count: int
    stored_bytes: int
    refused: list[tuple[int, int, int]]  # (status, reason code, how often) of stores refused since last read

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
    def close(self) -> None:
        """The association is over: a store that is not finished leaves nothing. Nothing else may be called after it."""
    def take_message(self) -> tuple[int, bytes, bytes | None]:
        """(context id, command set, data set or None)."""
