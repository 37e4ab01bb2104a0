"""Why an object cannot be sent in another transfer syntax."""

from engine.errors import Invalid


class Untranscodable(Invalid):
    """Only this object fails, in this syntax; the message says why, without a value of the data set."""
