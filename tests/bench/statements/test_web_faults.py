"""Each statement about the web fails when a server breaks what it says, and no other does."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bench.statements.statement import Status
from bench.statements.subject import Asked
from tests.bench.statements.breaking import Broken, ChangeAnswer, examined, failing, replaced
from tests.filmroom.running import start


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A node of ours on the web alone."""
    with start(tmp_path_factory.mktemp("node") / "store") as node:
        yield Asked(web=f"http://{node.http[0]}:{node.http[1]}/dicomweb")


def is_search(request: httpx.Request) -> bool:
    return request.method == "GET" and request.url.path.endswith(("/studies", "/series", "/instances"))


def changed_rows(request: httpx.Request, answer: httpx.Response, change: Any) -> httpx.Response:
    """A search's answer with its rows changed."""
    if not is_search(request) or answer.status_code != 200:
        return answer
    rows = [change(row) for row in json.loads(answer.content)]
    return replaced(answer, json.dumps(rows).encode())


def missing_when_empty(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if is_search(request) and answer.content == b"[]":
        return replaced(answer, b"", 404)
    return answer


def without_warning(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    answer.headers.pop("warning", None)
    return answer


def no_issuer(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        row.pop("00100021", None)
        return row

    return changed_rows(request, answer, change)


def text_for_numbers(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if request.url.path.endswith("/metadata"):
        return replaced(answer, answer.content.replace(b'"DS","Value":[2.5]', b'"DS","Value":["2.5"]'))
    return answer


FAULTS: dict[str, tuple[ChangeAnswer, set[str]]] = {
    "404 when nothing is found": (missing_when_empty, {"C24", "C25"}),
    "no Warning": (without_warning, {"C32"}),
    "a study's row without its issuer": (no_issuer, {"C29"}),
    "text where numbers stand": (text_for_numbers, {"C31"}),
}


def test_ours_holds_all(asked: Asked) -> None:
    outcomes = examined(asked)
    assert [one for one in outcomes if one.status is Status.FAIL] == []
    assert sum(one.status is Status.PASS for one in outcomes) >= 12


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_answer_fails_its_rows_alone(asked: Asked, name: str) -> None:
    change, rows = FAULTS[name]
    assert failing(examined(asked, transport=Broken(answer=change))) == rows


def commas_ignored(request: httpx.Request) -> httpx.Request:
    """A list in ``includefield`` is taken as one name that nobody knows."""
    words = request.url.query.decode().split("&")
    kept = [word for word in words if not (word.startswith("includefield=") and ("," in word or "%2C" in word))]
    request.url = request.url.copy_with(query="&".join(kept).encode())
    return request


def stars_encoded(request: httpx.Request) -> httpx.Request:
    """What is percent-encoded is taken as it stands."""
    request.url = request.url.copy_with(query=request.url.query.replace(b"%2A", b"%252A"))
    return request


@pytest.mark.parametrize(
    ("change", "rows"), [(commas_ignored, {"B02", "C26"}), (stars_encoded, {"B01"})], ids=["commas", "decoding"]
)
def test_a_misread_question_fails_its_rows_alone(asked: Asked, change: Any, rows: set[str]) -> None:
    assert failing(examined(asked, transport=Broken(request=change))) == rows
