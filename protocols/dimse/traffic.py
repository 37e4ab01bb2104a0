"""Associations of one port, counted for operators."""


class Traffic:
    """Since the port was opened. Read by anybody, written by the port's loop."""

    def __init__(self) -> None:
        self.open_count = 0
        self.accepted_count = 0
        self.rejected_count = 0
