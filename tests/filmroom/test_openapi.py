"""What /openapi.json says may be sent is sent to a running node: no answer is a 5xx, each is of a kind that is said.

What a client may send is made by schemathesis, the same in every run; how much of it, by ``EXAMPLES_COUNT``.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans

from tests.filmroom.running import Node, run, start
from tests.protocols.web.studies import ARCHIVE, ROOT

schemathesis = pytest.importorskip("schemathesis")
EXAMPLES_COUNT = 25
CALL_SECONDS_MAX = 20
KEPT = {"study": f"{ROOT}.1", "series": f"{ROOT}.1.1", "instance": f"{ROOT}.1.1.1"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("openapi")
    files = folder / "files"
    files.mkdir()
    for number, file in enumerate(ARCHIVE):
        (files / f"{number}.dcm").write_bytes(file)
    assert run("import", files, "--store", folder / "store").returncode == 0
    with start(folder / "store") as running:
        yield running
        assert running.stop() == 0
        assert "request failed" not in running.log()


@schemathesis.serializer("multipart/related", "application/dicom")  # type: ignore[untyped-decorator]
def as_it_is(context: Any, value: Any) -> bytes:
    """Bytes that somebody sends under a name that they do not bear."""
    return bytes(getattr(value, "data", b""))


def operations(base: str) -> list[Any]:
    """All of them."""
    schema = schemathesis.openapi.from_url(f"{base}/openapi.json")
    return [result.ok() for result in schema.get_all_operations()]


def test_no_request_that_is_described_is_answered_by_5xx_or_by_what_is_not_described(node: Node) -> None:
    base = f"http://{node.http[0]}:{node.http[1]}"
    checks = schemathesis.checks
    wanted = [checks.not_a_server_error, *_named("status_code_conformance", "content_type_conformance")]
    seen: dict[str, set[int]] = {}
    for operation in operations(base):
        _try(operation, base, wanted, seen)
    assert {"GET /api/v1/studies", "POST /api/v1/jobs", "GET /dicomweb/studies"} <= seen.keys()
    assert all(seen.values())
    assert {400, 415} & seen["POST /dicomweb/studies"] and 409 in seen["POST /dicomweb/studies/{study}"]
    assert 200 in seen["GET /api/v1/studies"] & seen["GET /api/v1/studies/{study}"]
    assert 202 in seen["POST /api/v1/jobs"]


def _try(operation: Any, base: str, wanted: list[Any], seen: dict[str, set[int]]) -> None:
    statuses = seen.setdefault(operation.label, set())

    @settings(
        max_examples=EXAMPLES_COUNT,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_there=booleans())
    def sent(case: Any, is_there: bool) -> None:
        if is_there and case.method != "DELETE":
            case.path_parameters.update({name: KEPT[name] for name in case.path_parameters if name in KEPT})
        answer = case.call(base_url=base, timeout=CALL_SECONDS_MAX)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=wanted)

    sent()


def _named(*names: str) -> list[Any]:
    from schemathesis.specs.openapi import checks

    return [getattr(checks, name) for name in names]
