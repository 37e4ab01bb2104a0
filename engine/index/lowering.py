"""Predicates as tantivy is asked them. A question is exact, or its rows are more than match and must be looked at.

Traps that this file knows: ``parse_query`` on user text can panic, so it is never called; a regex is made into an
automaton when the query is built, and one of more than 1000 states is refused after a third of a second.
"""

from typing import Any, Final

from tantivy import FieldType, Occur
from tantivy import Query as Asked

from engine.index.matching import (
    AllOf,
    AnyOf,
    Between,
    Item,
    Joined,
    Predicate,
    Spelled,
    Terms,
    Wildcard,
    days_around,
    within,
)
from engine.index.moments import MINUTE_US, ZONE_MINUTES_MAX, coarse
from engine.index.names import WORDS
from engine.index.schema import COLUMNS, KINDS, NUMERIC_COLUMNS

BLOCK_LEVEL: Final = "block"
SEARCHED_STRETCHES_COUNT_MAX: Final = 4  # of a wildcard value; with the next one they bound the automaton's states
SEARCHED_CHARACTERS_MAX: Final = 24


class Lowering:
    """A predicate as the index is asked it."""

    def __init__(self, schema: Any, searcher: Any, in_blocks: bool) -> None:
        self._schema = schema
        self._searcher = searcher
        self._in_blocks = in_blocks
        self.is_exact = True

    def lower(self, predicate: Predicate) -> Any:
        """The query; ``is_exact`` says afterwards whether it is."""
        if isinstance(predicate, AllOf):
            if not predicate.parts:
                return Asked.all_query()
            return Asked.boolean_query([(Occur.Must, self.lower(part)) for part in predicate.parts])
        if isinstance(predicate, AnyOf):
            if not predicate.parts:
                return Asked.empty_query()
            return Asked.boolean_query([(Occur.Should, self.lower(part)) for part in predicate.parts])
        if isinstance(predicate, Item):
            self.is_exact = False
            return self.lower(within(predicate.step, predicate.part))
        if isinstance(predicate, Joined):
            self.is_exact = False
            return self.lower(Between(predicate.date, *days_around(predicate), "DA"))
        leaf = self._leaf(predicate)
        if not self._in_blocks or predicate.field in COLUMNS or predicate.field in NUMERIC_COLUMNS:
            return leaf
        blocks = self._blocks(leaf)
        if not blocks:
            return leaf
        return Asked.boolean_query(
            [(Occur.Should, leaf), (Occur.Should, Asked.term_set_query(self._schema, "block", blocks))]
        )

    def _blocks(self, leaf: Any) -> list[int]:
        """The blocks whose shared values match."""
        asked = Asked.boolean_query([(Occur.Must, term(self._schema, "level", BLOCK_LEVEL)), (Occur.Must, leaf)])
        count = self._searcher.search(asked, 1).count
        if not count:
            return []
        return [number for number, _ in self._searcher.search(asked, count, count=False, order_by_field="block").hits]

    def _leaf(self, predicate: Terms | Wildcard | Spelled | Between) -> Any:
        if isinstance(predicate, Between):
            return self._between(predicate)
        field, prefix = (predicate.field, "") if predicate.field in COLUMNS else ("kv", prefix_of(predicate.field))
        if isinstance(predicate, Spelled):
            return Asked.fuzzy_term_query(self._schema, field, prefix + predicate.value)
        if isinstance(predicate, Wildcard):
            return self._wildcard(field, prefix, predicate.pattern)
        terms = [prefix + value for value in predicate.values]
        return (
            term(self._schema, field, terms[0])
            if len(terms) == 1
            else (Asked.term_set_query(self._schema, field, terms))
        )

    def _between(self, predicate: Between) -> Any:
        path, kind, low, high = predicate.field, predicate.kind, predicate.low, predicate.high
        if kind is None:
            name = path
        elif kind == KINDS.get(path):
            name = f"n{path}"
        else:
            self.is_exact = False
            around = 2 * ZONE_MINUTES_MAX * MINUTE_US if predicate.zone is not None else 0
            name, low, high = "when", coarse(path, kind, low - around), coarse(path, kind, high + around)
        return Asked.range_query(self._schema, name, FieldType.Unsigned, low, high)

    def _wildcard(self, field: str, prefix: str, pattern: str) -> Any:
        expression, exact = expression_of(pattern)
        self.is_exact = self.is_exact and exact
        start = "".join(map(_literal, prefix))
        try:
            return Asked.regex_query(self._schema, field, start + expression)
        except ValueError:  # more states than the index allows
            self.is_exact = False
            return Asked.regex_query(self._schema, field, start + ".*")


def prefix_of(field: str) -> str:
    """What stands before the values of a field in ``kv``. Fields of words stand there with every character twice: what
    is one edit away from a term then differs in its value, and is never of another field."""
    return f"{''.join(c + c for c in field) if field.endswith(WORDS) else field}="


def expression_of(pattern: str) -> tuple[str, bool]:
    """A regular expression for at least what the wildcard pattern matches, whose automaton stays small whatever the
    pattern (H58); and whether it matches exactly that. ``?`` behind a ``*`` would double the states each time."""
    first, *rest = pattern.split("*")
    exact = len(first) <= SEARCHED_CHARACTERS_MAX
    expression = "".join("." if c == "?" else _literal(c) for c in first[:SEARCHED_CHARACTERS_MAX])
    if not rest:
        return (expression, True) if exact else (expression + ".*", False)
    stretches = [stretch for part in rest for stretch in part.split("?")]
    exact = exact and len(stretches) == len(rest) <= SEARCHED_STRETCHES_COUNT_MAX
    exact = exact and all(len(stretch) <= SEARCHED_CHARACTERS_MAX for stretch in stretches)
    if exact:
        return expression + "".join(".*" + "".join(map(_literal, stretch)) for stretch in stretches), True
    longest = sorted(stretches, key=len, reverse=True)[:SEARCHED_STRETCHES_COUNT_MAX]
    searched = [stretch for stretch in stretches if stretch in longest][:SEARCHED_STRETCHES_COUNT_MAX]
    middle = "".join(".*" + "".join(map(_literal, stretch[:SEARCHED_CHARACTERS_MAX])) for stretch in searched)
    return expression + middle + ".*", False


def term(schema: Any, field: str, value: str) -> Any:
    """Rows with this value in a column."""
    return Asked.term_query(schema, field, value, "basic")


def _literal(character: str) -> str:
    return character if character.isalnum() else f"\\{character}" if character in "\\.+*?()|[]{}^$#&-~" else character
