"""What the peer says on an association that we send on: see replies.pxd. For native.send; of no use from Python."""

class Replies:
    def __init__(self, shared: bool) -> None: ...
