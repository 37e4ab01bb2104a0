"""Page tokens: stable while data arrives, bound to their question, kept by count, size and age."""

import msgspec
import pytest

from engine.clock import ManualClock, SeededIdentifiers
from engine.errors import Invalid
from engine.find import find
from engine.index import Index, pages
from engine.model import Match
from tests.engine.index.test_index import archive, query, record


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def index(clock: ManualClock) -> Index:
    opened = Index.open(None, clock, SeededIdentifiers())
    opened.fold(archive())
    return opened


@pytest.mark.parametrize("level", ["patient", "study", "series", "instance"])
@pytest.mark.parametrize("settles", [False, True])
def test_pages_are_stable_while_studies_arrive(index: Index, level: str, settles: bool) -> None:
    whole = find(index.view(), query(level)).matches
    seen: list[Match] = []
    page = find(index.view(), query(level, limit=2))
    while True:
        assert page.total == len(whole)
        seen += page.matches
        if not page.next_page:
            break
        index.fold([record(7, 1, len(seen), 100 + len(seen)), record(1, 1, 1, 200 + len(seen), content=f"{len(seen)}")])
        if settles:
            index.settle()
        page = find(index.view(), query(level, limit=2, page=page.next_page))
    assert tuple(seen) == whole


def test_a_page_can_be_asked_for_again_and_with_another_limit(index: Index) -> None:
    token = find(index.view(), query("instance", limit=7)).next_page
    first = find(index.view(), query("instance", limit=3, page=token))
    again = find(index.view(), query("instance", page=token))
    assert again.matches[:3] == first.matches and len(again.matches) == 30 - 7


@pytest.mark.parametrize(
    "other",
    [
        query("study", ("00100020", "P1"), limit=1),
        query("series", limit=1),
        query("study", limit=1, sort=("00100020",)),
        msgspec.structs.replace(query("study", limit=1), tenant="another"),
    ],
)
def test_a_token_of_another_question_is_refused(index: Index, other: object) -> None:
    token = find(index.view(), query("study", limit=1)).next_page
    with pytest.raises(Invalid, match="another question"):
        find(index.view(), msgspec.structs.replace(other, page=token))  # type: ignore[type-var]


@pytest.mark.parametrize("token", ["-", "x", "x-1", "0-0", "-1", "1-", "1--1", "1-1-1", "1-²", "1-" + "9" * 40, "é-1"])
def test_what_is_no_token_is_refused(index: Index, token: str) -> None:
    find(index.view(), query("study", limit=1))
    with pytest.raises(Invalid):
        find(index.view(), query("study", page=token))


def test_a_place_behind_the_end_is_an_empty_page(index: Index) -> None:
    name, _, _ = find(index.view(), query("study", limit=1)).next_page.partition("-")
    beyond = find(index.view(), query("study", page=f"{name}-99"))
    assert (beyond.matches, beyond.total, beyond.next_page) == ((), 5, "")


def test_answers_are_kept_for_a_while_since_they_were_asked_for(index: Index, clock: ManualClock) -> None:
    token = find(index.view(), query("study", limit=1)).next_page
    for _ in range(3):
        clock.advance(pages.KEPT_SECONDS_MAX - 1)
        find(index.view(), query("study", limit=1, page=token))
    clock.advance(pages.KEPT_SECONDS_MAX + 1)
    with pytest.raises(Invalid, match="expired"):
        find(index.view(), query("study", limit=1, page=token))


def test_answers_are_kept_by_count(index: Index) -> None:
    tokens = [find(index.view(), query("study", limit=1)).next_page for _ in range(pages.KEPT_COUNT_MAX + 1)]
    with pytest.raises(Invalid, match="expired"):
        find(index.view(), query("study", limit=1, page=tokens[0]))
    assert find(index.view(), query("study", limit=1, page=tokens[1])).matches


def test_answers_are_kept_by_size(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    size = index.view().fresh_bytes
    monkeypatch.setattr(pages, "KEPT_BYTES_MAX", int(3.5 * size))
    tokens = []
    for number in range(4):  # each page of another view: its rows stay in memory
        tokens.append(find(index.view(), query("study", limit=1)).next_page)
        index.fold([record(8, 1, number, 300 + number)])
    with pytest.raises(Invalid, match="expired"):
        find(index.view(), query("study", limit=1, page=tokens[0]))
    assert find(index.view(), query("study", limit=1, page=tokens[-1])).matches
    assert index.view().pages.bytes <= pages.KEPT_BYTES_MAX


def test_one_view_for_many_answers_counts_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "KEPT_BYTES_MAX", int(1.5 * index.view().fresh_bytes))
    tokens = [find(index.view(), query("study", limit=1)).next_page for _ in range(9)]
    assert find(index.view(), query("study", limit=1, page=tokens[0])).matches
