"""The body of an HTTP request on its way into the intake: the framing is taken off, the parts of ``multipart/related``
(RFC 2046 5.1; PS3.18 8.6) are told apart, each DICOM file goes to the intake. All without the GIL, from a socket or by pieces.
"""

from typing import Final

from native.arrival import Arrival
from native.lane import Lane
from typing_extensions import Buffer

EVENT_NEED: Final[int]  # more bytes; of ``run``: the budget is spent
EVENT_IDLE: Final[int]  # next to nothing came, and it was waited for ``idle_ms`` in all
EVENT_HEAD: Final[int]  # a part begins with another ``head`` than the one before: ``judge`` it
EVENT_DATA: Final[int]  # data of a part that is handed over: ``take_data``
EVENT_PART: Final[int]  # a part that is handed over is whole
EVENT_PREAMBLE: Final[int]  # a file with a preamble that is kept is whole: ``keep_in`` a lane that names it
EVENT_END: Final[int]  # the body is whole; ``rest`` is what came behind it
EVENT_GONE: Final[int]  # the client has gone
EVENT_UNSOUND: Final[int]  # ``reason`` says why
EVENT_REFUSED: Final[int]  # nothing was kept yet, and there is no room: ``raise_refusal``
EVENT_LARGE: Final[int]  # more than ``bytes_max``

CHUNKED: Final[int]
PIECES: Final[int]
REASON_OTHER_STUDY: Final[int]
REASON_TOO_LARGE: Final[int]

class Body:
    """One body. Real clients begin with a line end, and leave the last one out. One caller at a time; after any event from
    EVENT_END on nothing more comes."""

    def __init__(
        self,
        arrival: Arrival | None,
        boundary: bytes,
        length: int,
        *,
        bytes_max: int,
        study_uid: str = "",
        heads_bytes_max: int,
        preamble_bytes_max: int,
        parts_count_max: int,
    ) -> None:
        """arrival: where the parts go, all of them DICOM files; None: they are handed over. boundary: empty when the body is one
        part. length: Content-Length, CHUNKED, or PIECES without framing. study_uid: the only study that is wanted."""
    def run(self, fd: int, idle_ms: int, budget_bytes: int) -> int:
        """Receive from a non-blocking socket until an event. Goes on with whatever was fed before."""
    def feed(self, piece: Buffer) -> int:
        """What comes by itself; an empty piece: go on behind an event."""
    def finish(self) -> int:
        """The pieces have ended. Again after each event, until EVENT_END."""
    @property
    def head(self) -> bytes:
        """Header lines of the part that begins."""
    def judge(self, verdict: int) -> None:
        """0: the part is taken, and so are those with the same head behind it. Else it is refused for that reason, a number above
        those of ``native.faults`` and of this module."""
    def take_data(self) -> bytes: ...
    def keep_in(self, lane: Lane) -> None: ...
    @property
    def preamble(self) -> bytes: ...
    @property
    def parts(self) -> list[tuple[int, int, tuple[str, str, str, str]]]:
        """What became of each part: its LSN, appended and not waited for, or 0 and why not (``native.faults``, REASON_, or a
        verdict); SOP class, SOP instance, study, series UIDs as far as they were seen."""
    @property
    def reason(self) -> str: ...
    def raise_refusal(self) -> None:
        """TimeoutError, ConnectionAbortedError, OSError: as of Log.append_parts."""
    @property
    def rest(self) -> bytes: ...
    @property
    def received_bytes(self) -> int:
        """By ``run``, in all."""
    def trim(self) -> None:
        """Give back what is not needed while nothing comes."""
    def close(self) -> None:
        """Give back all, but what became of the parts. What is unfinished leaves nothing."""
