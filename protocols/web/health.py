"""Health of a node, for balancers and orchestrators: live = the loop turns; ready = may be sent work."""

import msgspec


class Health(msgspec.Struct):
    """What must hold before a node is ready. The one who runs the node sets it."""

    archive_open: bool = False
    dicom_bound: bool = False
    stopping: bool = False

    def report(self) -> dict[str, bool]:
        """The conditions, and ``ready`` when all hold."""
        return {
            "ready": self.archive_open and self.dicom_bound and not self.stopping,
            "archive_open": self.archive_open,
            "dicom_bound": self.dicom_bound,
            "stopping": self.stopping,
        }
