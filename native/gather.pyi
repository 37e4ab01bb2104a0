"""One store's data set on its way into the lane: see gather.pxd. For native.receive; nothing of it is of use from Python."""

from native.lane import Lane

class Gather:
    def __init__(self, lane: Lane | None) -> None: ...
