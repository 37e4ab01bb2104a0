"""What a path names: the query for it, and the instances below it."""

from typing import Final

from engine.model import Instance, Key, Level, Query
from protocols.web.messages import Request
from protocols.web.problems import Problem
from protocols.web.site import Site

_KEYS: Final = {
    "study": (Level.STUDY, "0020000D"),
    "series": (Level.SERIES, "0020000E"),
    "instance": (Level.INSTANCE, "00080018"),
}


def uids(request: Request) -> dict[int, str]:
    """The UIDs that the path names, by tag."""
    return {int(path, 16): request.parameters[name] for name, (_, path) in _KEYS.items() if name in request.parameters}


def query(request: Request) -> Query:
    """For all that the path names, at the level it names last."""
    keys = [(*_KEYS[name], request.parameters[name]) for name in _KEYS if name in request.parameters]
    return Query(level=keys[-1][0], keys=tuple(Key(path, (uid,)) for _, path, uid in keys))


async def instances(request: Request, site: Site) -> list[Instance]:
    """All of them, in series order; at least one. Raises Problem (404), Missing."""
    if "instance" in request.parameters:
        return [await instance(request, site)]
    found = await site.archive.instances(query(request))
    if not found:
        raise Problem(404, "there is no such thing here")
    return found


async def instance(request: Request, site: Site) -> Instance:
    """The one. Raises Missing."""
    named = request.parameters
    return await site.archive.locate(named["study"], named["series"], named["instance"])
