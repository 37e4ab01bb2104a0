"""filmroom aet add, ls, rm, test."""

from engine import Invalid
from filmroom.access import perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import last, say, say_json, table
from filmroom.exits import Exit

_COLUMNS = ("ae_title", "host", "port", "origin")


async def add(ae_title: str, address: str, /, *, place: Place = HERE) -> int:
    """Make a peer known: filmroom aet add WS1 10.0.0.5:104. It may call us, and C-MOVE may send to it."""
    host, port = host_and_port(address)
    done = await last(perform(place.load(), "aet add", ae_title=ae_title, host=host, port=port))
    say(f"{done['ae_title']} is {done['host']}:{done['port']}")
    return Exit.OK


async def ls(*, json: bool = False, place: Place = HERE) -> int:
    """List known peers.

    Parameters
    ----------
    json
        A JSON array.
    """
    peers = [item async for item in perform(place.load(), "aet ls")]
    if json:
        say_json(peers)
    else:
        table(_COLUMNS, peers)
    return Exit.OK


async def rm(ae_title: str, /, *, place: Place = HERE) -> int:
    """Forget a peer."""
    done = await last(perform(place.load(), "aet rm", ae_title=ae_title))
    say(f"{done['ae_title']} is forgotten")
    return Exit.OK


async def test(ae_title: str, /, *, json: bool = False, place: Place = HERE) -> int:
    """C-ECHO to a known peer; exit code 1 when it does not answer.

    Parameters
    ----------
    json
        The outcome as JSON.
    """
    loaded = place.load()
    outcome = await last(perform(loaded, "aet test", ae_title=ae_title))
    if json:
        say_json(outcome)
        return Exit.OK if outcome["answered"] else Exit.NO
    at = f"{outcome['ae_title']} at {outcome['host']}:{outcome['port']}"
    print(f"{at} answered" if outcome["answered"] else f"{at} did not answer: {outcome['reason']}")
    serve = loaded.settings.serve
    say(f"the other way, on the peer: echoscu -aet {outcome['ae_title']} -aec {serve.ae_title} HOST {serve.dimse_port}")
    return Exit.OK if outcome["answered"] else Exit.NO


def host_and_port(address: str) -> tuple[str, int]:
    """HOST:PORT in two. Raises Invalid."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or not host:
        raise Invalid(f"{address[:64]!r} is no HOST:PORT (as in 10.0.0.5:104)")
    return host.removeprefix("[").removesuffix("]"), int(port)
