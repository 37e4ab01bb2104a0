"""N-EVENT-REPORT of storage commitment (PS3.4 J.3.3): verdicts as event type and data set."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from engine.model import CommitmentRequest, Reference, Verdict
from native import dataset
from protocols.dimse import classes
from protocols.dimse.status import Status

ALL_COMMITTED, SOME_FAILED = 1, 2

RETRIEVE_AE_TITLE = 0x00080054
CLASS, INSTANCE = 0x00081150, 0x00081155
TRANSACTION = 0x00081195
FAILURE_REASON = 0x00081197
FAILED, REFERENCED = 0x00081198, 0x00081199
ITEM = b"\xfe\xff\x00\xe0"

REASON_OF: dict[Literal["missing", "conflict", "failed"], Status] = {
    "missing": Status.NO_SUCH_INSTANCE,
    "conflict": Status.CLASS_INSTANCE_CONFLICT,
    "failed": Status.PROCESSING_FAILURE,
}


class Report(msgspec.Struct, frozen=True):
    """What is reported of one transaction; ``explicit`` is the data set in Explicit VR Little Endian, of ``tags``."""

    event_type: int
    tags: tuple[int, ...]
    explicit: bytes

    def encoded(self, transfer_syntax_uid: str) -> bytes:
        """The data set in a syntax of a service context."""
        if transfer_syntax_uid != classes.IMPLICIT_LITTLE:
            return self.explicit
        return dataset.project(self.explicit, self.tags, True)


def report_of(request: CommitmentRequest, verdicts: Sequence[Verdict], ae_title: str) -> Report:
    """The report that answers ``request``, one verdict for each of its references."""
    committed, failed = [], []
    for reference, verdict in zip(request.references, verdicts, strict=True):
        if verdict == "committed":
            committed.append(_item(reference))
        else:
            failed.append(_item(reference, REASON_OF[verdict]))
    values = [
        (RETRIEVE_AE_TITLE, "AE", ae_title.strip().encode("ascii")),
        (TRANSACTION, "UI", request.transaction_uid.encode("ascii")),
        (FAILED, "SQ", b"".join(failed)),
        (REFERENCED, "SQ", b"".join(committed)),
    ]
    present = [value for value in values if value[2]]
    explicit = b"".join(dataset.element(*value) for value in present)
    return Report(SOME_FAILED if failed else ALL_COMMITTED, tuple(tag for tag, *_ in present), explicit)


def _item(reference: Reference, reason: Status | None = None) -> bytes:
    content = dataset.element(CLASS, "UI", reference.sop_class_uid.encode("ascii"))
    content += dataset.element(INSTANCE, "UI", reference.sop_instance_uid.encode("ascii"))
    if reason is not None:
        content += dataset.element(FAILURE_REASON, "US", int(reason).to_bytes(2, "little"))
    return ITEM + len(content).to_bytes(4, "little") + content
