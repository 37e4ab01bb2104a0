"""A client of DICOMweb services that says exactly what a statement wants said."""

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx

from bench.statements.answers import Answer, Row

JSON = "application/dicom+json"
MULTIPART_DICOM = 'multipart/related; type="application/dicom"'
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
ANY_FRAME = "multipart/related; type=application/octet-stream; transfer-syntax=*"
BOUNDARY = "conformance-7c1f"
SECONDS_MAX = 30.0
CONNECTIONS_MAX = 128


class Web:
    """``root``: of the DICOMweb services. ``transport``: what carries requests, where it is not the network."""

    def __init__(
        self,
        root: str,
        token: str = "",
        verify: bool | ssl.SSLContext = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.root = root.rstrip("/")
        self.token = token
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        limits = httpx.Limits(max_connections=CONNECTIONS_MAX)
        verify = verify if self.root.startswith("https:") else False  # certificates take a tenth of a second to load
        self.client = httpx.AsyncClient(
            timeout=SECONDS_MAX, trust_env=False, limits=limits, verify=verify, transport=transport
        )
        self.client.headers.clear()  # what is not said is not sent

    def url(self, path: str) -> str:
        """``path`` below the root, or a whole URL."""
        return path if "://" in path else self.root + path

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterator[bytes] | None = None,
        with_token: bool = True,
    ) -> Answer:
        """One request. Only these headers are sent, and the token."""
        said = {**(self._authorization if with_token else {}), **(headers or {})}
        return Answer(await self.client.request(method, self.url(path), headers=said, content=body))

    async def get(self, path: str, accept: str | None = JSON, **headers: str) -> Answer:
        """``accept`` None: the header is left out. An underscore in a header's name is a hyphen."""
        said = {name.replace("_", "-"): text for name, text in headers.items()}
        return await self.ask("GET", path, ({} if accept is None else {"Accept": accept}) | said)

    async def rows(self, path: str) -> list[Row]:
        """Data sets that a search or metadata answers."""
        return (await self.get(path)).rows()

    async def store(self, files: Sequence[bytes], study: str = "", accept: str = JSON) -> Answer:
        """STOW-RS as most clients do it."""
        headers = {"Content-Type": content_type(), "Accept": accept}
        path = f"/studies/{study}" if study else "/studies"
        return await self.ask("POST", path, headers, body_of(files))

    @asynccontextmanager
    async def stream(self, path: str, accept: str) -> AsyncIterator[httpx.Response]:
        """An answer that is read piece by piece, or left."""
        headers = {**self._authorization, "Accept": accept}
        async with self.client.stream("GET", self.url(path), headers=headers) as response:
            yield response

    async def close(self) -> None:
        """No connection stays open."""
        await self.client.aclose()


def content_type(boundary: str = f'"{BOUNDARY}"') -> str:
    """Of a STOW-RS request."""
    return f'multipart/related; type="application/dicom"; boundary={boundary}'


def body_of(files: Sequence[bytes], lead: bytes = b"", head: bytes = b"Content-Type: application/dicom\r\n") -> bytes:
    """The parts of a STOW-RS request."""
    mark = BOUNDARY.encode()
    parts = b"".join(b"--" + mark + b"\r\n" + head + b"\r\n" + file + b"\r\n" for file in files)
    return lead + parts + b"--" + mark + b"--\r\n"
