"""A server that breaks one thing: ours, and what stands between it and its client."""

from collections.abc import Callable

import httpx
import trio

from bench.statements import registry, run
from bench.statements.statement import Outcome, Status, of_rows
from bench.statements.subject import Asked, Subject

ChangeRequest = Callable[[httpx.Request], httpx.Request]
ChangeAnswer = Callable[[httpx.Request, httpx.Response], httpx.Response]


class Broken(httpx.AsyncBaseTransport):
    """Passes requests on, changed, and answers back, changed."""

    def __init__(self, request: ChangeRequest | None = None, answer: ChangeAnswer | None = None) -> None:
        self._through = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=128))
        self._request = request
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        passed = await self._through.handle_async_request(self._request(request) if self._request else request)
        if self._answer is None:
            return passed
        whole = httpx.Response(passed.status_code, headers=passed.headers, content=await read(passed))
        return self._answer(request, whole)

    async def aclose(self) -> None:
        await self._through.aclose()


async def read(answer: httpx.Response) -> bytes:
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    pieces = [piece async for piece in answer.stream]
    await answer.stream.aclose()
    return b"".join(pieces)


def examined(asked: Asked, rows: tuple[str, ...] = (), transport: Broken | None = None) -> list[Outcome]:
    """Every outcome of these rows, or of all."""
    return trio.run(run.examine, Subject(asked, transport), registry.chosen(rows), lambda outcome: None)


def failing(outcomes: list[Outcome]) -> set[str]:
    """Rows that fail."""
    return {row for row, status in of_rows(outcomes).items() if status is Status.FAIL}


def replaced(answer: httpx.Response, content: bytes, status: int | None = None, **headers: str) -> httpx.Response:
    """The answer with another body; its length is made anew. An underscore in a header's name is a hyphen."""
    kept = {name: text for name, text in answer.headers.items() if name.lower() != "content-length"}
    said = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx.Response(answer.status_code if status is None else status, headers=kept | said, content=content)
