"""The sending half of native.wire (PS3.7 9.1.1): use it from there."""

from collections.abc import Sequence
from typing import Final

from typing_extensions import Buffer

UNSOUND_OBJECT: Final[int]  # instead of a status: the object is not what its seal says, and was not sent

class Sender:
    """C-STORE as SCU over an established association; ``window``: operations outstanding, when the peer granted them.

    ``shared``: the peer made the association and may send commands of its own (C-CANCEL): ``take_rest`` has them.
    """

    reason: str
    unanswered: int  # jobs behind the statuses that the last ``store`` gave which were sent: some answer is missing

    def __init__(self, *, pdu_bytes_max: int, window: int = 1, shared: bool = False) -> None: ...
    def take_rest(self) -> bytes:
        """Bytes received beside the answers, as PDUs: for who receives on this association otherwise."""
    def store(
        self,
        fd: int,
        cancel_fd: int,
        jobs: Sequence[tuple[int, int, str, str, int | Buffer, int, int]],
        *,
        seals: Sequence[tuple[Buffer, int]] = (),
        originator: tuple[str, int] | None = None,
        timeout_ms: int,
        patience_ms: int = 0,
        resume: int = 0,
    ) -> list[int]:
        """jobs: (context id, message id, SOP class, SOP instance, file descriptor or buffer, offset, length of the data set).
        seals: of the first jobs, XXH3-128 of the object that ends with the data set, and the length of what stands before
        it there.
        Returns the status of each job answered, UNSOUND_OBJECT for one that is damaged or cannot be read. A shorter list than
        jobs: the association is gone (`reason`); or there is something in `take_rest`; or `patience_ms` have passed: call
        again with the jobs that are left, of which the first `unanswered` are sent already (`resume`)."""
