"""The answers of one association: see answers.pxd. For native.receive; nothing of it is of use from Python."""

from native.lane import Lane

class Answers:
    def __init__(self, lane: Lane | None) -> None: ...
