"""The first window may be opened by whoever sends it; the iteration gives it all the same."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio

from engine.clock import Clock
from engine.measures import Measures
from engine.read_ahead import ReadAhead


class OpenedWindow:
    def __init__(self, stretch: str) -> None:
        self.stretch = stretch
        self.closed_count = 0

    def close(self) -> None:
        self.closed_count += 1


class CountingFetch:
    """Stands for ``engine.fetch.Fetch``: a window a letter."""

    def __init__(self) -> None:
        self.opened: list[OpenedWindow] = []

    def windows(self, stretches: str) -> Any:
        return iter(stretches)

    def open(self, stretch: str) -> OpenedWindow:
        if stretch == "!":
            raise LookupError("not there")
        self.opened.append(OpenedWindow(stretch))
        return self.opened[-1]


def read(stretches: str, *, is_begun: bool, is_first: bool) -> tuple[list[str], CountingFetch]:
    """What the iteration gives, and what was opened for it."""
    fetch = CountingFetch()

    async def main() -> list[str]:
        reads = Measures(Clock()).first_reads
        with ThreadPoolExecutor(1) as threads:
            windows = ReadAhead(fetch, stretches, threads, reads, is_begun=is_begun)  # type: ignore[arg-type]
            try:
                if is_first:
                    first = windows.first()
                    assert (first is None) == (not stretches)
                return [window.stretch async for window in windows]  # type: ignore[attr-defined]
            finally:
                windows.close()

    return trio.run(main), fetch


@pytest.mark.parametrize("stretches", ["", "a", "abc"])
@pytest.mark.parametrize(("is_begun", "is_first"), [(True, False), (False, False), (False, True)])
def test_each_window_comes_once_in_order_and_is_closed_once(stretches: str, is_begun: bool, is_first: bool) -> None:
    given, fetch = read(stretches, is_begun=is_begun, is_first=is_first)
    assert "".join(given) == stretches
    assert sorted(window.stretch for window in fetch.opened) == list(stretches)
    assert [window.closed_count for window in fetch.opened] == [1] * len(stretches)


def test_nothing_is_opened_before_the_first_is_asked_for_and_all_is_closed() -> None:
    fetch = CountingFetch()
    with ThreadPoolExecutor(1) as threads:
        windows = ReadAhead(fetch, "abc", threads, Measures(Clock()).first_reads, is_begun=False)  # type: ignore[arg-type]
        assert fetch.opened == []
        windows.first()
        windows.close()
    assert [window.closed_count for window in fetch.opened] == [1] * len(fetch.opened)
    assert [window.stretch for window in fetch.opened][:1] == ["a"]


def test_what_cannot_be_opened_says_so_to_who_asks_first() -> None:
    with pytest.raises(LookupError, match="not there"):
        read("!a", is_begun=False, is_first=True)
