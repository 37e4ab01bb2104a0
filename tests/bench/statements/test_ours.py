"""A node of ours holds every statement that can be asked of it."""

import re

from bench.statements import registry
from bench.statements.statement import Status
from bench.statements.subject import Asked
from tests.bench.statements.breaking import examined
from tests.tidy.reading import ROOT

# What is not asked: too large for here, without a port for TLS; worklists are not offered; answers that are all there
# before C-CANCEL comes.
NOT_TRIED = {"many_in_one_request", "tls", "plaintext_on_the_tls_port", "worklist"}
EITHER = {"cancelling"}


def test_ours_holds_all(asked: Asked) -> None:
    outcomes = examined(asked)
    assert [(one.title, one.reason) for one in outcomes if one.status is Status.FAIL] == []
    assert {one.statement for one in outcomes if one.status is Status.NOT_TRIED} - EITHER == NOT_TRIED
    assert len(outcomes) == len(registry.STATEMENTS)


def test_every_row_is_asked_or_says_why_not() -> None:
    text = (ROOT / "docs" / "conformance.md").read_text("utf-8")
    rows = {letter + number for letter, number in re.findall(r"^\| ([COB])(\d{2}) \|", text, re.MULTILINE)}
    asked = {row for one in registry.STATEMENTS for row in one.rows}
    assert len(rows) == 50 + 16 + 8
    assert asked | registry.UNTESTABLE.keys() == rows
    assert not asked & registry.UNTESTABLE.keys()
    assert all(registry.UNTESTABLE.values())


def test_statements_have_names_of_their_own_and_say_what_they_state() -> None:
    names = [one.name for one in registry.STATEMENTS]
    assert len(set(names)) == len(names)
    assert all(one.title and one.needs and len(one.title) < 130 for one in registry.STATEMENTS)
