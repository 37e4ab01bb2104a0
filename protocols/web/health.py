"""Health of a node, for balancers and orchestrators: live = the loop turns; ready = may be sent work."""

from collections.abc import Callable

import msgspec


class Health(msgspec.Struct):
    """What must hold before a node is ready. The one who runs the node sets it."""

    archive_open: bool = False
    dicom_bound: bool = False
    stopping: bool = False
    trouble: Callable[[], str] = str  # why nothing can be stored; empty when it can

    def report(self) -> dict[str, bool]:
        """The conditions, and ``ready`` when all hold."""
        storing = self.archive_open and not self.trouble()
        return {
            "ready": self.archive_open and self.dicom_bound and storing and not self.stopping,
            "archive_open": self.archive_open,
            "dicom_bound": self.dicom_bound,
            "storing": storing,
            "stopping": self.stopping,
        }
