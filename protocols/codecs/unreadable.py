"""Why a frame cannot be folded or unfolded."""


class Unreadable(ValueError):
    """The message says why, without a value of the data set."""
