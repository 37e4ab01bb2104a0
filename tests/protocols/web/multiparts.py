"""Bodies of STOW-RS requests as clients make them."""

from collections.abc import Sequence
from typing import Any

import httpx

from tests.protocols.web.serving import Served

BOUNDARY = "9f3c0d"


def content_type(part_type: str = "application/dicom", boundary: str = f'"{BOUNDARY}"') -> dict[str, str]:
    """The header of such a request."""
    return {"Content-Type": f'multipart/related; type="{part_type}"; boundary={boundary}'}


def body_of(
    *files: bytes,
    lead: bytes = b"",
    tail: bytes = b"\r\n",
    head: bytes = b"Content-Type: application/dicom\r\n",
    boundary: str = BOUNDARY,
) -> bytes:
    """The parts of a body."""
    mark = boundary.encode()
    parts = b"".join(b"--" + mark + b"\r\n" + head + b"\r\n" + one + b"\r\n" for one in files)
    return lead + parts + b"--" + mark + b"--" + tail


async def store(served: Served, *files: bytes, path: str = "/studies", **headers: str) -> httpx.Response:
    """POST them as most clients do."""
    return await served.client.post(path, content=body_of(*files), headers=content_type() | headers)


def items(answer: httpx.Response | dict[str, Any], tag: str) -> list[dict[str, Any]]:
    """The items of one sequence of the answer."""
    said = answer if isinstance(answer, dict) else answer.json()
    found: list[dict[str, Any]] = said.get(tag, {}).get("Value", [])
    return found


def value(item: dict[str, Any], tag: str) -> Any:
    """One value."""
    return item[tag]["Value"][0]


def instances_of(items_of_answer: Sequence[dict[str, Any]]) -> list[str]:
    """Which instances they speak of."""
    return [value(item, "00081155") for item in items_of_answer]
