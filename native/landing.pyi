"""Where the data of parts lands, for native code alone: see landing.pxd."""

from native.arrival import Arrival

class Landing:
    def __init__(self, arrival: Arrival | None, boundary: bytes, study_uid: str) -> None: ...
