"""What went wrong, for programs and people (RFC 9457): the one kind of error that handlers raise."""

from http import HTTPStatus

import msgspec

from engine.errors import Conflict, Fenced, FilmroomError, Invalid, Missing, Unavailable

MEDIA_TYPE = "application/problem+json"
NOWHERE = "nothing is served here; there is a page at /, DICOMweb at /dicomweb, a viewer at /ohif/, REST at /api/v1"


class Problem(Exception):
    """The request is answered with ``status`` and one readable sentence, which holds no patient data and nothing that
    the request brought."""

    def __init__(self, status: int, detail: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def body(self) -> bytes:
        """The problem document."""
        title = HTTPStatus(self.status).phrase
        said = {"title": title, "status": self.status} | ({"detail": self.detail} if self.detail else {})
        return msgspec.json.encode(said)


class Disconnected(Exception):
    """The client has gone: nobody is left to answer."""


def busy(detail: str, retry_after_seconds: float = 5.0, status: int = 503) -> Problem:
    """Try again later: full, or shutting down."""
    return Problem(status, detail, (("Retry-After", str(max(1, round(retry_after_seconds)))),))


def late() -> Problem:
    """A body that comes too slowly, or no more."""
    return Problem(408, "the body did not arrive in time")


def problem_of(error: FilmroomError) -> Problem:
    """What the engine's error means to a client. The engine's sentences hold no patient data."""
    if isinstance(error, Unavailable):
        return busy(str(error), error.retry_after_seconds)
    if isinstance(error, Fenced):
        return busy("this node has stopped; another one answers")
    if isinstance(error, Invalid):
        return Problem(400, str(error))
    if isinstance(error, Missing):
        return Problem(404, "there is no such thing here")
    if isinstance(error, Conflict):
        return Problem(409, str(error))
    return Problem(500, "stored bytes are not what was written")
