"""filmroom aet add, ls, rm, test."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine import Invalid
from filmroom.access import last, perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import say, say_json, table
from filmroom.exits import Exit

_COLUMNS = {
    "ae_title": "AE title",
    "host": "host",
    "port": "port",
    "tls": "TLS",
    "character_set": "character set",
    "origin": "origin",
}


async def add(
    ae_title: str,
    address: str,
    /,
    *,
    character_set: str | None = None,
    tls: Annotated[bool | None, Parameter(negative="--no-tls")] = None,
    tls_ca: Path | None = None,
    tls_name: str = "",
    place: Place = HERE,
) -> int:
    """Make a peer known: it may call us, and C-MOVE may send to it.

    Parameters
    ----------
    ae_title
        Its AE title.
    address
        HOST:PORT (as in 10.0.0.5:104).
    character_set
        Specific Character Set of our answers to it, and of its questions that name none (ISO_IR 100).
    tls
        Call it over TLS, or not: not given, TLS when a file or a name below is.
    tls_ca
        PEM file of whom we believe for it (default: the authorities of this machine).
    tls_name
        The name in its certificate, when that is not its host: of what it shows when we call it, and when it calls us.
    """
    host, port = host_and_port(address)
    is_sealed = bool(tls_ca or tls_name) if tls is None else tls
    sealed = _sealed(is_sealed, tls_ca, tls_name)
    spoken = {"character_set": character_set} if character_set else {}
    done = await last(place.load(), "aet add", ae_title=ae_title, host=host, port=port, **spoken, **sealed)
    say(f"{done['ae_title']} is {done['host']}:{done['port']}" + (" over TLS" if is_sealed else ""))
    return Exit.OK


async def ls(*, json: bool = False, place: Place = HERE) -> int:
    """List known peers.

    Parameters
    ----------
    json
        A JSON array.
    """
    peers: list[dict[str, object]] = []
    await perform(place.load(), "aet ls", peers.append)
    if json:
        say_json(peers)
    else:
        table(_COLUMNS, [peer | {"tls": "yes" if peer["tls"] else ""} for peer in peers])
    return Exit.OK


async def rm(ae_title: str, /, *, place: Place = HERE) -> int:
    """Forget a peer.

    Parameters
    ----------
    ae_title
        Its AE title.
    """
    done = await last(place.load(), "aet rm", ae_title=ae_title)
    say(f"{done['ae_title']} is forgotten")
    return Exit.OK


async def test(ae_title: str, /, *, json: bool = False, place: Place = HERE) -> int:
    """C-ECHO to a known peer, and whether it has called this node; exit code 1 when it does not answer.

    Only the peer can begin the other way: its last call is shown, and the command that would make one.

    Parameters
    ----------
    ae_title
        Its AE title.
    json
        The outcome as JSON.
    """
    outcome = await last(place.load(), "aet test", ae_title=ae_title)
    code = Exit.OK if outcome["answered"] else Exit.NO
    if json:
        say_json(outcome)
        return code
    at = f"{outcome['ae_title']} at {outcome['host']}:{outcome['port']}"
    print(f"{at} answered" if outcome["answered"] else f"{at} did not answer: {outcome['reason']}")
    if outcome["called_seconds_ago"] is not None:
        end = f"was refused: {outcome['call_refused']}" if outcome["call_refused"] else "was served"
        print(f"its last call, {outcome['called_seconds_ago']:.0f} s ago from {outcome['called_from']}, {end}")
    elif outcome["own_address"]:
        print("it has not called this node yet")
        host, _, port = outcome["own_address"].rpartition(":")
        titles = f"-aet {outcome['ae_title']} -aec {outcome['own_ae_title']}"
        say(f"the other way, on the peer: echoscu {titles} {host} {port}")
    else:
        say("no node is running here: the other way, from the peer, cannot be tried")
    return code


def _sealed(tls: bool, tls_ca: Path | None, tls_name: str) -> dict[str, object]:
    """The node may run in another folder than this command."""
    said: dict[str, object] = {"tls": tls, "tls_ca": str(tls_ca.absolute()) if tls_ca else "", "tls_name": tls_name}
    return {name: value for name, value in said.items() if value}


def host_and_port(address: str) -> tuple[str, int]:
    """HOST:PORT in two. Raises Invalid."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or not host:
        raise Invalid(f"{address[:64]!r} is no HOST:PORT (as in 10.0.0.5:104)")
    return host.removeprefix("[").removesuffix("]"), int(port)
