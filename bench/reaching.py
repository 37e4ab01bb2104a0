"""Whether targets by address answer at all, asked before anything is made for them: C-ECHO, and one search by HTTP."""

from collections.abc import Sequence

from bench.asking import IMPLICIT_LITTLE
from bench.http import Connection, Web, get
from bench.lean import STATUS, Association, Target
from bench.targets import address

VERIFICATION = "1.2.840.10008.1.1"
C_ECHO, NO_DATA_SET = 0x30, 0x101


class Unreached(Exception):
    """A target does not answer, or not as one that can be measured. One readable sentence."""


def reach(targets: Sequence[str]) -> None:
    """Asks each at all its doors. Raises Unreached, which names the first that does not answer well."""
    for text in targets:
        one = address(text)
        door = f"{one.target.ae_title}@{one.target.host}:{one.target.port}"
        try:
            echo(one.target)
            if one.web is not None:
                door = one.web.url
                search(one.web)
        except (RuntimeError, OSError, ValueError) as failure:
            raise Unreached(f"{one.name} cannot be measured: {door}: {failure}") from None


def echo(target: Target) -> None:
    """C-ECHO (PS3.7 9.1.5). RuntimeError unless it is answered by success."""
    with Association(target, VERIFICATION, IMPLICIT_LITTLE) as association:
        _, final = association.ask({0x2: VERIFICATION, 0x100: C_ECHO, 0x110: 1, 0x800: NO_DATA_SET})
        if final[STATUS]:
            raise RuntimeError(f"C-ECHO ended with status {final[STATUS]!r}")


def search(web: Web) -> None:
    """A search for one study (PS3.18 10.6). RuntimeError at another status than 200 or 204."""
    connection = Connection(web)
    try:
        if (status := connection.ask(get(web, "/studies?limit=1")).status) not in (200, 204):
            raise RuntimeError(f"a search for studies is answered by status {status}")
    finally:
        connection.close()
