"""H10, H57, H58: what matching costs is bounded whatever the pattern, and query language is a literal."""

import random
import re

import pytest
import tantivy

from engine.find import find
from engine.index import Index, lowering, matching, shard
from engine.index.compile import WILDCARD_CHARACTERS_MAX, WILDCARDS_COUNT_MAX
from engine.index.lowering import expression_of
from engine.index.matching import glob
from engine.index.texts import VALUE_CHARACTERS_MAX
from tests.engine.index.oracle import like
from tests.engine.index.test_index import query, record

BOMBS = (
    "*a" * 16,
    "*?" * 8,
    "*a" + "?" * 15,
    "a" * 240 + "*" + "a" * 15,
    "*" + "ab" * 60 + "*" + "ba" * 60,
    "*" + "a" * 250 + "?",
    "?" * 256,
    "*abcabcabcabcabd" * 15,
)


def patterns(chance: random.Random, alphabet: str, count: int) -> list[str]:
    return ["".join(chance.choice(alphabet) for _ in range(chance.randint(1, 12))) for _ in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_wildcards_match_like_the_oracle_and_the_index_is_asked_for_no_less(seed: int) -> None:
    chance = random.Random(seed)
    for pattern in patterns(chance, "ab*?.", 1500):
        expression, exact = expression_of(pattern)
        for text in ("", *patterns(chance, "ab.*", 8)):
            wanted = like(pattern, text)
            assert glob(pattern, text) is wanted, (pattern, text)
            searched = re.fullmatch(expression, text) is not None
            assert searched is wanted if exact else searched >= wanted, (pattern, text)


@pytest.mark.parametrize("bomb", BOMBS)
def test_h58_the_steps_of_matching_are_linear_in_the_text(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stretch is looked for at each place at most once: all looks together are no more than the text has places."""
    looks = 0
    stands = matching._stands

    def counted(stretch: str, text: str, at: int) -> bool:
        nonlocal looks
        looks += 1
        return stands(stretch, text, at)

    monkeypatch.setattr(matching, "_stands", counted)
    text = "ab" * (VALUE_CHARACTERS_MAX // 2)
    for value in (text, "a" * VALUE_CHARACTERS_MAX, text[:-1] + "c"):
        looks = 0
        assert glob(bomb, value) is like_linear(bomb, value)
        assert looks <= len(value) + 2 * bomb.count("*") + 2


def like_linear(pattern: str, text: str) -> bool:
    """All reachable places of the pattern at once: slow, and of one pass."""
    reached = {0}
    for character in text:
        reached = close(pattern, reached)
        reached = {
            at + (pattern[at] != "*") for at in reached if at < len(pattern) and pattern[at] in ("*", "?", character)
        }
    return len(pattern) in close(pattern, reached)


def close(pattern: str, reached: set[int]) -> set[int]:
    more = set(reached)
    for at in reached:
        while at < len(pattern) and pattern[at] == "*":
            at += 1
            more.add(at)
    return more


@pytest.mark.parametrize("bomb", BOMBS)
def test_h58_the_automaton_of_the_index_stays_small(bomb: str) -> None:
    """More than 1000 states would be refused (ValueError) after a third of a second of work."""
    expression, _ = expression_of(bomb)
    assert expression.count(".*") <= lowering.SEARCHED_STRETCHES_COUNT_MAX + 1
    tantivy.Query.regex_query(shard._schema(), "kv", "00100010=" + expression)


def test_h58_by_chance_too() -> None:
    chance = random.Random(11)
    for _ in range(40):
        pattern = "".join(chance.choice("ab" * 4 + "*?") for _ in range(WILDCARD_CHARACTERS_MAX))
        while pattern.count("*") + pattern.count("?") > WILDCARDS_COUNT_MAX:
            pattern = pattern.replace(chance.choice("*?"), "a", 1)
        tantivy.Query.regex_query(shard._schema(), "kv", "00100010=" + expression_of(pattern)[0])


LITERALS = (
    "level:study",
    "kv:1 OR 1=1",
    '" OR ""="',
    "[a TO z]",
    "a~2",
    "(",
    ".+",
    "a|b",
    "^a$",
    "x=y",
    "a]}{",
    "+-!&&",
)


@pytest.mark.parametrize("value", LITERALS)
@pytest.mark.parametrize("settles", [False, True])
def test_h57_query_language_is_a_literal(value: str, settles: bool) -> None:
    index = Index.open(None)
    index.fold([record(1, 1, 1, 1, description=value), record(2, 1, 1, 2, description="Chest"), record(3, 1, 1, 3)])
    if settles:
        index.settle()
    for asked in (value, value + "*", "*" + value, value.replace("a", "?")):
        found = find(index.view(), query("study", ("00081030", asked)))
        assert [match.study_uid for match in found.matches] == ["1.2.1"], asked
        series = find(index.view(), query("series", ("0020000D", asked)))
        assert not series.matches
