"""A pytest plugin: ``pytest_plugins = ["filmroom.testing.fixtures"]`` in the conftest.py of the tests' root.

Named, not an entry point: those are loaded by every run of pytest in the environment, for whatever project. Each test
gets its own, empty; where half a second a test is too much, share one by a fixture around ``filmroom.testing.server``.
"""

from collections.abc import Iterator

import pytest

from filmroom import blocking
from filmroom.testing import Server, archive, server


@pytest.fixture
def filmroom_archive() -> Iterator[blocking.Archive]:
    """An empty archive in memory (``filmroom.blocking.Archive``)."""
    with archive() as opened:
        yield opened


@pytest.fixture
def filmroom_server() -> Iterator[Server]:
    """An empty node on free ports of this machine (``filmroom.testing.Server``)."""
    with server() as running:
        yield running
