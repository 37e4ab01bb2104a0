"""What the suites' tests share."""

import pytest

from bench import process


@pytest.fixture
def quick_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that did nothing for a tenth of a second rests: here no figure hangs on it."""
    monkeypatch.setattr(process, "REST_SECONDS", 0.1)
