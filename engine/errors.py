"""The few kinds of error the engine raises, each named by what the caller does next."""


class FilmroomError(Exception):
    """Root of all errors that the engine raises on purpose.

    ``str(error)`` is one readable sentence without patient data.
    """


class Unavailable(FilmroomError):
    """Try again later: full, busy, shutting down. ``retry_after_seconds`` is a hint."""

    def __init__(self, message: str, retry_after_seconds: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Invalid(FilmroomError):
    """Fix the input: what was sent cannot be kept or understood. ``fault``: which of ``native.faults`` it is, or 0."""

    def __init__(self, message: str, fault: int = 0) -> None:
        super().__init__(message)
        self.fault = fault


class Missing(FilmroomError):
    """There is no such thing (or it is somebody else's: the answer is the same)."""


class Conflict(FilmroomError):
    """Somebody else was first; read again, then decide."""


class Corrupt(FilmroomError):
    """Call a human: stored bytes are not what was written."""


class Fenced(FilmroomError):
    """Stop: another writer has taken over, or a sync failed and nothing more may be promised."""
