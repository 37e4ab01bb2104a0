"""For tests of programs that embed Filmroom, or talk to it: an archive, a server, and made-up images.

    from filmroom.testing import ct_series, server

    with server() as node:
        node.store(ct_series(3)[0])
        ...  # node.dicomweb_url, node.ae_title, node.host, node.dimse_port

For pytest, ``pytest_plugins = ["filmroom.testing.fixtures"]`` in conftest.py gives ``filmroom_archive`` and
``filmroom_server``; nothing of it is loaded where it is not named.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from engine import StoreSettings
from filmroom import blocking
from filmroom.testing.server import Server, server
from filmroom.testing.synthetic import ct_series

__all__ = ["Server", "archive", "ct_series", "server"]


@contextmanager
def archive(settings: StoreSettings | None = None) -> Iterator[blocking.Archive]:
    """An empty archive in memory, in this process. ``settings``: others than the usual; their URL is not looked at."""
    with blocking.open("memory://", settings) as opened:
        yield opened
