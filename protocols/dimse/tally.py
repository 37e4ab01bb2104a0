"""What became of each instance that was to be sent. Pure."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from engine.model import Instance
from native import wire
from protocols.dimse.status import Status, is_warning, name_of

UNSOUND = "the object is not what was written"


class Failure(msgspec.Struct, frozen=True):
    """An instance that was not sent, and why."""

    sop_instance_uid: str
    reason: str


class Tally:
    """Counts only go up: an instance is settled once, as sent, sent with a warning, or failed."""

    def __init__(self, instance_count: int) -> None:
        self.instance_count = instance_count
        self.sent_count = self.warning_count = self.unsound_count = 0
        self.failures: list[Failure] = []
        self._settled: set[tuple[str, str, str]] = set()

    @property
    def remaining_count(self) -> int:
        return self.instance_count - self.sent_count - self.warning_count - len(self.failures)

    def count(self, instance: Instance, status: int) -> None:
        """What the peer answered to its C-STORE, or UNSOUND_OBJECT."""
        if status == wire.UNSOUND_OBJECT:
            self.unsound_count += 1
            self.fail(instance, UNSOUND)
        elif status == Status.SUCCESS:
            self.sent_count += 1
        elif is_warning(status):
            self.warning_count += 1
        else:
            self.fail(instance, f"the peer answered {status:04X} ({name_of(status)})")
        self._settled.add(_identity(instance))

    def fail(self, instance: Instance, reason: str) -> None:
        self._settled.add(_identity(instance))
        self.failures.append(Failure(instance.sop_instance_uid, reason))

    def open(self, part: Sequence[Instance]) -> list[Instance]:
        """Those that are not settled."""
        return [one for one in part if _identity(one) not in self._settled]

    def reasons(self) -> Counter[str]:
        """How many failed for each reason."""
        return Counter(failure.reason for failure in self.failures)


def _identity(instance: Instance) -> tuple[str, str, str]:
    """A series, too, may be kept in two studies."""
    return instance.study_uid, instance.series_uid, instance.sop_instance_uid
