"""The body of a store on its way into the intake. It blocks: for threads, one call at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from engine.model import Uids
from native.arrival import Arrival
from native.body import (
    EVENT_HEAD,
    EVENT_LARGE,
    EVENT_NEED,
    EVENT_PREAMBLE,
    EVENT_REFUSED,
    EVENT_UNSOUND,
    REASON_OTHER_STUDY,
    REASON_TOO_LARGE,
    Body,
)
from protocols.web.forms.media_types import media_type_of
from protocols.web.forms.multipart import HEADERS_BYTES_MAX, PARTS_COUNT_MAX, PREAMBLE_BYTES_MAX, Malformed, headers_of
from protocols.web.messages import Chunk
from protocols.web.ports import Upload
from protocols.web.problems import Problem
from protocols.web.stow.store_answer import (
    CANNOT_UNDERSTAND,
    IS_OF_OTHER_STUDY,
    NOT_SUPPORTED,
    OTHER_STUDY,
    Part,
    failure_of,
    sentence_of,
)

DICOM: Final = "application/dicom"
TAKEN: Final = 0
OTHER_TYPE: Final = 64
ENCODED: Final = 65
REFUSALS: Final = {
    OTHER_TYPE: (NOT_SUPPORTED, f"the part is not of the media type {DICOM}"),
    ENCODED: (CANNOT_UNDERSTAND, "the part must not be encoded"),
    REASON_OTHER_STUDY: (OTHER_STUDY, IS_OF_OTHER_STUDY),
    REASON_TOO_LARGE: (CANNOT_UNDERSTAND, "the instance is larger than any that is kept here"),
}


class Incoming(ABC):
    """A body, received in a thread from its socket, or fed in pieces; ``close`` it however it ends."""

    def __init__(self, arrival: Arrival | None, boundary: bytes, length: int, bytes_max: int, study_uid: str) -> None:
        """``arrival``: where DICOM files go; None: parts are handed over. ``boundary``: empty when all is one part.
        ``length``: as of ``native.body``. ``study_uid``: the only study whose instances are wanted; empty: any."""
        self._bytes_max = bytes_max
        self.body = Body(
            arrival,
            boundary,
            length,
            bytes_max=bytes_max,
            study_uid=study_uid,
            heads_bytes_max=HEADERS_BYTES_MAX,
            preamble_bytes_max=PREAMBLE_BYTES_MAX,
            parts_count_max=PARTS_COUNT_MAX,
        )

    @abstractmethod
    def settled(self) -> list[Part]:
        """The body is whole: what became of its instances."""

    @abstractmethod
    def tell(self, event: int) -> bool:
        """What a part brings; whether to go on behind it. Raises Unavailable, Fenced, Invalid."""

    def lease(self, received: bytes, fileno: int, idle_ms: int, budget_bytes: int) -> int:
        """``received``, then what the socket has, until an event ends it. Raises Malformed, Problem, as ``tell``."""
        event = self._until(partial(self.body.feed, received), partial(self.body.feed, b""))
        if event == EVENT_NEED:
            run = partial(self.body.run, fileno, idle_ms, budget_bytes)
            event = self._until(run, run)
        return event

    def feed(self, pieces: Sequence[Chunk]) -> None:
        """Some of the body. Raises as ``lease``."""
        for piece in pieces:
            self._until(partial(self.body.feed, piece), partial(self.body.feed, b""))

    def finish(self) -> None:
        """The pieces have ended. Raises as ``lease``."""
        self._until(self.body.finish, self.body.finish)

    def close(self) -> None:
        """What is unfinished leaves nothing."""
        self.body.close()

    def _until(self, begin: Callable[[], int], go_on: Callable[[], int]) -> int:
        event = begin()
        while self.tell(event):
            event = go_on()
        if event == EVENT_UNSOUND:
            raise Malformed(self.body.reason)
        if event == EVENT_LARGE:
            raise Problem(413, f"the body is larger than {self._bytes_max} bytes")
        return event


class Files(Incoming):
    """A body whose parts are DICOM files (PS3.18 8.7.3.1)."""

    def __init__(self, upload: Upload, boundary: bytes, length: int, bytes_max: int, study_uid: str) -> None:
        super().__init__(upload.arrival, boundary, length, bytes_max, study_uid)
        self._upload = upload

    def settled(self) -> list[Part]:
        """In their order."""
        return [
            Part(Uids(*uids), lsn) if lsn else Part(Uids(*uids), 0, *_refusal(reason))
            for lsn, reason, uids in self.body.parts
        ]

    def tell(self, event: int) -> bool:
        """Heads are judged, preambles kept."""
        if event == EVENT_HEAD:
            self.body.judge(_verdict(self.body.head))
        elif event == EVENT_PREAMBLE:
            self.body.keep_in(self._upload.lane_for(self.body.preamble))
        elif event == EVENT_REFUSED:
            try:
                self.body.raise_refusal()
            except OSError as error:
                raise self._upload.refused(error) from error
        return event in (EVENT_HEAD, EVENT_PREAMBLE)


def _verdict(head: bytes) -> int:
    headers = headers_of(head)
    found = media_type_of(headers.get("content-type", DICOM))
    if found is None or found.name != DICOM:
        return OTHER_TYPE
    encoding = headers.get("content-transfer-encoding", "binary").lower()
    return TAKEN if encoding in ("binary", "8bit", "7bit") else ENCODED


def _refusal(reason: int) -> tuple[int, str]:
    return REFUSALS.get(reason) or (failure_of(reason), sentence_of(reason))
