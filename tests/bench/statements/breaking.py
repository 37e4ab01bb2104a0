"""A server that breaks one thing: ours, and what stands between it and its client."""

import gzip
from collections.abc import Callable, Collection

import httpx
import trio

from bench.statements import registry, run
from bench.statements.statement import Need, Outcome, Status, of_rows
from bench.statements.subject import Asked, Subject

ChangeRequest = Callable[[httpx.Request], httpx.Request]
ChangeAnswer = Callable[[httpx.Request, httpx.Response], httpx.Response]


class Broken(httpx.AsyncBaseTransport):
    """Passes requests on, changed, and answers back, changed."""

    def __init__(self, request: ChangeRequest | None = None, answer: ChangeAnswer | None = None) -> None:
        self._through = httpx.AsyncHTTPTransport(verify=False, limits=httpx.Limits(max_connections=128))
        self._request = request
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        passed = await self._through.handle_async_request(self._request(request) if self._request else request)
        if self._answer is None:
            return passed
        raw = await read(passed)
        whole = httpx.Response(passed.status_code, headers=passed.headers, content=raw)
        changed = self._answer(request, whole)
        if changed is not whole:
            is_packed = whole.headers.get("content-encoding") == "gzip"
            raw = gzip.compress(changed.content) if is_packed else changed.content
            changed.headers.update({"content-encoding": "gzip"} if is_packed else {})
        return httpx.Response(changed.status_code, headers=changed.headers, stream=httpx.ByteStream(raw))

    async def aclose(self) -> None:
        await self._through.aclose()


async def read(answer: httpx.Response) -> bytes:
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    pieces = [piece async for piece in answer.stream]
    await answer.stream.aclose()
    return b"".join(pieces)


# Left out where a fault cannot touch them: half of the time of all.
DEAR = {"many_frames_at_once", "jpeg_2000_leaves_unfolded"}

STORING = {one.name for one in registry.STATEMENTS if Need.WRITE in one.needs}


def examined(asked: Asked, transport: Broken | None = None, left_out: Collection[str] = ()) -> list[Outcome]:
    """Every outcome, but those of the statements that are left out."""
    statements = [one for one in registry.STATEMENTS if one.name not in left_out]
    return trio.run(run.examine, Subject(asked, transport), statements, lambda outcome: None)


def failing(outcomes: list[Outcome]) -> set[str]:
    """Rows that fail."""
    return {row for row, status in of_rows(outcomes).items() if status is Status.FAIL}


def replaced(answer: httpx.Response, content: bytes, status: int | None = None, **headers: str) -> httpx.Response:
    """The answer with another body; its length is made anew. An underscore in a header's name is a hyphen."""
    kept = {name: text for name, text in answer.headers.items() if name not in ("content-length", "content-encoding")}
    said = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx.Response(answer.status_code if status is None else status, headers=kept | said, content=content)
