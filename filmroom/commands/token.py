"""filmroom token."""

from typing import Any

from filmroom.access import last, perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import say, say_json, table
from filmroom.exits import Exit

_COLUMNS = {"name": "name", "scopes": "scopes", "created": "created", "expires": "expires"}


async def new(name: str, /, *, scope: str = "read", days: int = 0, json: bool = False, place: Place = HERE) -> int:
    """Make a token for a program or a person. It is shown once: only its digest is kept. It works at once.

    Parameters
    ----------
    name
        Whom it is for; `token ls` and the log show this name.
    scope
        What it allows: read, write, delete, admin (everything), with commas between them.
    days
        After so many days it is not taken any more; 0 is never.
    json
        As JSON: name, token, scopes, expires.
    """
    words = [word.strip() for word in scope.split(",") if word.strip()]
    made = await last(place.load(), "token new", name=name, scopes=words, days=days)
    if json:
        say_json(made)
        return Exit.OK
    print(made["token"])
    say(f"{name} may {', '.join(made['scopes'])}; expires: {made['expires'] or 'never'}. This is shown once.")
    say("use it as a header: Authorization: Bearer TOKEN")
    return Exit.OK


async def ls(*, json: bool = False, place: Place = HERE) -> int:
    """List tokens: names, scopes, and when they expire.

    Parameters
    ----------
    json
        A JSON array.
    """
    tokens: list[dict[str, Any]] = []
    await perform(place.load(), "token ls", tokens.append)
    if json:
        say_json(tokens)
    else:
        table(_COLUMNS, [token | {"scopes": ",".join(token["scopes"])} for token in tokens])
    return Exit.OK


async def rm(name: str, /, *, place: Place = HERE) -> int:
    """End a token: from now on it opens nothing.

    Parameters
    ----------
    name
        Its name.
    """
    done = await last(place.load(), "token rm", name=name)
    say(f"{done['name']} has ended")
    return Exit.OK
