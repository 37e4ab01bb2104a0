"""One DICOM file after another on its way into the intake, each in pieces: gathered while small, streamed to a spool file
of the intake when large, its canonical head (native.canonical) before it, whatever head it came with."""

from native.lane import Lane
from typing_extensions import Buffer

class Arrival:
    """Files of one upload. ``write`` its pieces, ``check`` it, then ``keep`` it or ``give_up``; then the next one. What is never
    kept leaves nothing. One caller at a time. Intake errors: as of Log.append_parts."""

    length: int  # bytes of the file that have come
    preamble: bytes  # of a file that has one, once it is checked: 128 bytes; else empty
    known: tuple[str, str, str, str]  # SOP class, SOP instance, study, series UIDs as far as the check saw them

    def __init__(self, lane: Lane, gather_bytes_max: int = 0) -> None:
        """gather_bytes_max: above it a file is spooled, when that is less than the lane allows."""
    def write(self, piece: Buffer) -> None:
        """More of the file. Raises Malformed when it does not begin as a DICOM file, ValueError above object_bytes_max,
        TimeoutError, ConnectionAbortedError, OSError; then only give_up is allowed."""
    def check(self) -> tuple[str, str, str, str]:
        """All has come: walks it to its end without the GIL; SOP class, SOP instance, study, series UIDs. Raises Malformed."""
    def keep(self, lane: Lane | None = None) -> int:
        """Append what was checked; its LSN. Does not wait. ``lane``: of the same intake, with another context."""
    def give_up(self) -> None:
        """Forget this file."""
    def close(self) -> None:
        """The upload has ended: gives back everything."""
