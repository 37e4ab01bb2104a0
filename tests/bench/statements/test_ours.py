"""A node of ours holds every statement that can be asked of it."""

from bench.statements import registry
from bench.statements.statement import Status
from bench.statements.subject import Asked
from tests.bench.statements.breaking import examined

# What this node has not: nearline and worklists are not offered yet.
NOT_TRIED = {"many_in_one_request", "a_workitem"}


def test_ours_holds_all(asked: Asked) -> None:
    outcomes = examined(asked)
    assert [(one.title, one.reason) for one in outcomes if one.status is Status.FAIL] == []
    assert {one.statement for one in outcomes if one.status is Status.NOT_TRIED} == NOT_TRIED
    assert len(outcomes) == len(registry.STATEMENTS)
