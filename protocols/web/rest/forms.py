"""Requests and answers of ``/api/v1``: JSON in, JSON out, UTC moments as ISO 8601. Pure."""

from collections.abc import Collection
from typing import Any, Final, TypeVar

import msgspec

from engine.clock import moment_of_text, text_of_moment
from engine.model import Key, Level, Origin, Query
from protocols.web.messages import Headers, Reply, Request
from protocols.web.problems import Problem
from protocols.web.routing import Parameter

ROOT: Final = "/api/v1"
JSON: Final = "application/json"
BODY_BYTES_MAX: Final = 64 << 10
NO_STORE: Final = ("Cache-Control", "no-store")
COUNT_DEFAULT: Final = 100
LIMIT: Final = Parameter("limit", f"how many to give at most ({COUNT_DEFAULT} when it is not said)")
OFFSET: Final = Parameter("offset", "how many to pass over")
AS_OF: Final = Parameter("as_of", "an ISO 8601 date-time with its zone: the archive as it was then")

T = TypeVar("T")
_LEVELS: Final = (
    ("instance", Level.INSTANCE, "00080018"),
    ("series", Level.SERIES, "0020000E"),
    ("study", Level.STUDY, "0020000D"),
)


def answer(said: Any, status: int = 200, headers: Headers = ()) -> Reply:
    """JSON that nobody keeps: the archive changes."""
    return Reply(status, (("Content-Type", JSON), NO_STORE, *headers), msgspec.json.encode(said))


def only(request: Request, names: Collection[str] = ()) -> None:
    """Raises Problem for a parameter of another name: what is not understood must not be passed over in silence."""
    if any(name not in names for name, _ in request.query):
        known = ", ".join(sorted(names)) or "none"
        raise Problem(400, f"the query has a parameter that is not known here: these are: {known}")


def whole(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, at most ``most``. Raises Problem."""
    values = request.values(name)
    if not values:
        return default
    text = values[-1]
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise Problem(400, f"{name} is a whole number")
    return min(int(text), most)


def moment(request: Request) -> int:
    """``as_of`` in microseconds since 1970; 0: now. Raises Problem."""
    values = request.values("as_of")
    try:
        return moment_of_text(values[-1]) if values else 0
    except ValueError:
        raise Problem(400, "as_of is an ISO 8601 date-time with its zone: 2026-11-24T09:30:00Z") from None


def shown(moment_us: int) -> str | None:
    """A moment as text; None for none."""
    return text_of_moment(moment_us) if moment_us else None


async def body_of(request: Request, kind: type[T], *, default: T | None = None) -> T:
    """The JSON body; ``default`` for none. Raises Problem."""
    data = await request.body.read()
    if not data and default is not None:
        return default
    if request.header("content-type").partition(";")[0].strip().lower() != JSON:
        raise Problem(415, f"the body is {JSON}")
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise Problem(400, f"the body is not what is asked for: {_place_of(error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(400, "the body is no JSON") from None


def named(request: Request) -> Query:
    """What the path names: a study, a series or an instance."""
    uids = request.parameters
    level = next(level for name, level, _ in _LEVELS if name in uids)
    return Query(level=level, keys=tuple(Key(path, (uids[name],)) for name, _, path in _LEVELS if name in uids))


def origin_of(request: Request) -> Origin:
    """Who decides."""
    return Origin(how="rest", peer=request.peer)


def _place_of(error: msgspec.ValidationError) -> str:
    """The message of msgspec without values of the request: the expectation and the place."""
    text = str(error)
    return text if text.startswith(("Expected", "Object missing")) and len(text) < 200 else "a value is not allowed"
