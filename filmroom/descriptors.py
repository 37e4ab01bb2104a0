"""How many files and sockets this process may have open, and how many of them the HTTP port may take."""

import resource
from typing import Final

# Half of these for connections and associations, and for objects between their writing and their sync; as many again in
# hand. Systems commonly give a process 1,024, and let it ask for more.
WANTED_COUNT: Final = 16_384
# Archive, index, control socket, peers that are called: what the node itself works with.
OWN_COUNT: Final = 256
# Below this the port is of no use.
CONNECTIONS_COUNT_MIN: Final = 16


def widen() -> int:
    """Ask for as many as a node wants, as far as the system lets us; how many it may have now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_COUNT if hard == resource.RLIM_INFINITY else min(WANTED_COUNT, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return WANTED_COUNT if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def possible() -> int:
    """How many a node could have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return WANTED_COUNT if hard == resource.RLIM_INFINITY else hard


def connections_count_max(wanted: int, allowed: int) -> int:
    """HTTP connections at once, of ``allowed`` descriptors: the rest is for associations and files. Unbounded, idle
    ones take them all, and nobody is even told to come again."""
    return max(CONNECTIONS_COUNT_MIN, min(wanted, (allowed - OWN_COUNT) // 4))
