"""Where the hosts are that the configuration names, looked up in the network and kept for a while."""

import logging
import socket
from collections import OrderedDict
from typing import Final

import trio

from protocols.dimse.proof import is_address, plain

log = logging.getLogger("filmroom.dimse")

# Not for each association of a busy modality, and not for longer than one waits.
KEPT_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 5.0  # behind a lookup that failed
LOOKUP_SECONDS_MAX: Final = 5.0
HOSTS_COUNT_MAX: Final = 256


class Hosts:
    """Addresses of the hosts that the configuration names; of no others are any looked up."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, frozenset[str]]] = OrderedDict()

    async def addresses(self, host: str) -> frozenset[str]:
        """Where it was found last; empty when the name has led nowhere yet, or not in time."""
        if is_address(host):
            return frozenset((plain(host),))
        until, found = self._kept.get(host, (0.0, frozenset()))
        if trio.current_time() >= until:
            looked_up = await _lookup(host)
            found = looked_up or found  # a name server that is out for a while locks out nobody who was known
            self._kept[host] = (trio.current_time() + (KEPT_SECONDS if looked_up else RETRY_SECONDS), found)
            self._kept.move_to_end(host)
            if len(self._kept) > HOSTS_COUNT_MAX:
                self._kept.popitem(last=False)
        return found


async def _lookup(host: str) -> frozenset[str]:
    try:
        with trio.fail_after(LOOKUP_SECONDS_MAX):
            found = await trio.socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, trio.TooSlowError) as error:
        log.warning("the host of a peer is not found", extra={"host": host, "error": type(error).__name__})
        return frozenset()
    return frozenset(plain(str(address[0])) for *_, address in found)
