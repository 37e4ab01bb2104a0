"""An answer over the web, taken apart by a reader of its own (RFC 9110, RFC 2046, PS3.18)."""

import json
import re
from typing import Any

import httpx
from msgspec import Struct

from bench.statements.statement import Unmet, shortened, shown

Row = dict[str, Any]


class Part(Struct, frozen=True):
    """One part of multipart/related; header names are in lower case."""

    headers: dict[str, str]
    body: bytes
    head_length: int

    @property
    def media_type(self) -> str:
        return media_type(self.headers.get("content-type", ""))

    @property
    def transfer_syntax(self) -> str:
        """Empty when it is not said."""
        return parameter(self.headers.get("content-type", ""), "transfer-syntax")


class Answer:
    """What came, and questions about it that raise Unmet."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.body = response.content
        self.asked = _told(response.request)
        self.content_type = response.headers.get("content-type", "")

    @property
    def media_type(self) -> str:
        return media_type(self.content_type)

    def expect(self, *statuses: int) -> "Answer":
        """One of these statuses."""
        if self.status not in statuses:
            expected = " or ".join(map(str, statuses))
            raise Unmet(f"{self.asked}: {self.status} where {expected} is expected")
        return self

    def json(self) -> Any:
        try:
            return json.loads(self.body.decode("utf-8"))
        except ValueError as error:
            raise Unmet(f"{self.asked}: no JSON in UTF-8 ({error})") from None

    def rows(self) -> list[Row]:
        """Data sets of an answer in DICOM JSON; 204 is none."""
        if self.expect(200, 204).status == 204:
            return []
        found = self.json()
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise Unmet(f"{self.asked}: {shown(found)} where an array of data sets is expected")
        return found

    def parts(self) -> list[Part]:
        """Of multipart/related. A missing end is forgiven here; C37 asks for it."""
        if not self.expect(200, 206).media_type.startswith("multipart/"):
            raise Unmet(f"{self.asked}: {self.content_type or 'no Content-Type'} where multipart/related is expected")
        boundary = parameter(self.content_type, "boundary")
        if not boundary:
            raise Unmet(f"{self.asked}: Content-Type names no boundary")
        pieces = (b"\r\n" + self.body).split(b"\r\n--" + boundary.encode("latin-1"))[1:]
        found = [_part(piece) for piece in pieces if piece.strip() and not piece.startswith(b"--")]
        if not found:
            raise Unmet(f"{self.asked}: no part between the boundaries that Content-Type names ({boundary[:40]})")
        return found

    def part(self) -> Part:
        """The only part."""
        found = self.parts()
        if len(found) != 1:
            raise Unmet(f"{self.asked}: {len(found)} parts where one is expected")
        return found[0]


def _told(request: httpx.Request) -> str:
    """For people: the roots of our UIDs are left out."""
    accept = request.headers.get("accept")
    path = shortened(request.url.raw_path.decode("ascii"))
    return f"{request.method} {path}" + (f" (Accept: {accept})" if accept else "")


def _part(piece: bytes) -> Part:
    head, _, body = piece.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    return Part(headers, body, len(head) + 4)


def media_type(content_type: str) -> str:
    """Without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def parameter(content_type: str, name: str) -> str:
    """One parameter's value without its quotes; empty when it is not there."""
    found = re.search(rf';\s*{re.escape(name)}\s*=\s*(?:"([^"]*)"|([^;\s]*))', content_type, re.IGNORECASE)
    return (found[1] or found[2] or "") if found else ""


def value(row: Row, tag: str, at: int = 0) -> Any:
    """One value of an attribute; Unmet when it has none."""
    values = values_of(row, tag)
    if len(values) <= at:
        raise Unmet(f"{tag} has no value in {shown(row.get(tag))}")
    return values[at]


def values_of(row: Row, tag: str) -> list[Any]:
    """All its values; none when the attribute is not there."""
    attribute = row.get(tag)
    if not isinstance(attribute, dict):
        return []
    values = attribute.get("Value", [])
    return values if isinstance(values, list) else []


def column(rows: list[Row], tag: str) -> list[Any]:
    """The first value of each row."""
    return [value(row, tag) for row in rows]
