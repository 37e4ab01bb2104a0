"""Who may use a route, over a real socket: tokens, Host, Origin (C43, H46, B07)."""

import logging

import pytest

from bench.data import Shape, files
from protocols.web import Holder, Lock, WebSettings
from protocols.web.door import UIDS
from protocols.web.messages import Reply, Request
from protocols.web.routes import ROUTES
from protocols.web.routing import Route, Scope
from protocols.web.site import Site
from tests.protocols.web.serving import Served, serving

HOLDERS = {
    "good-read": Holder("viewer", frozenset({"read"})),
    "good-write": Holder("modality", frozenset({"read", "write"})),
    "good-admin": Holder("boss", frozenset({"admin"})),
}
LOCK = Lock(HOLDERS.get)


async def here(request: Request, site: Site) -> Reply:
    return Reply(200, (), (await request.body.read()) or b"here")


def route(method: str, scope: Scope) -> Route:
    size = 100 if method == "POST" else 0
    return Route(method=method, path="/x", handler=here, scope=scope, summary="", body_bytes_max=size)


TABLE = (*ROUTES, route("GET", "read"), route("POST", "write"), route("DELETE", "delete"))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_c43_h46_every_route_wants_a_token(caplog: pytest.LogCaptureFixture) -> None:
    async def check(served: Served) -> None:
        for one in (one for one in TABLE if not one.is_page):
            path = one.path
            for name in UIDS:
                path = path.replace(f"{{{name}}}", "1.2")
            for headers in ({}, bearer("wrong"), {"Authorization": "Basic Z29vZC1yZWFk"}, {"Authorization": "Bearer"}):
                url = f"http://127.0.0.1:{served.port}{path}"
                answer = await served.client.request(one.method, url, headers=headers)
                assert answer.status_code == 401, (one.method, path)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.headers["content-type"] == "application/problem+json"

    with caplog.at_level(logging.INFO, "filmroom"):
        serving(check, routes=TABLE, guard=LOCK)
    assert any(record.message == "request refused" for record in caplog.records)
    assert not any("wrong" in str(record.__dict__) or "Z29vZ" in str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize(
    ("token", "method", "status"),
    [
        ("good-read", "GET", 200),
        ("good-read", "HEAD", 200),
        ("good-read", "POST", 403),
        ("good-read", "DELETE", 403),
        ("good-write", "POST", 200),
        ("good-write", "DELETE", 403),
        ("good-admin", "DELETE", 200),
        ("good-admin", "GET", 200),
    ],
)
def test_h46_a_token_does_what_its_scopes_say(token: str, method: str, status: int) -> None:
    async def check(served: Served) -> None:
        url = f"http://127.0.0.1:{served.port}/x"
        answer = await served.client.request(method, url, headers=bearer(token))
        assert answer.status_code == status
        if status == 403:
            assert "insufficient_scope" in answer.headers["www-authenticate"]

    serving(check, routes=TABLE, guard=LOCK)


def test_c43_a_token_in_the_url_opens_nothing() -> None:
    async def check(served: Served) -> None:
        for name in ("access_token", "token"):
            answer = await served.client.get(f"http://127.0.0.1:{served.port}/x?{name}=good-read")
            assert answer.status_code == 401 and "header only" in answer.json()["detail"]
            assert "good-read" not in answer.text

    serving(check, routes=TABLE, guard=LOCK)


def test_h46_what_is_there_and_what_is_not_answer_alike() -> None:
    async def check(served: Served) -> None:
        there = await served.client.get("/studies/1.2.3/series")
        absent = await served.client.get("/studies/9.9.9/series")
        assert (there.status_code, there.content) == (absent.status_code, absent.content)

    serving(check, guard=LOCK)


def test_c43_a_refusal_can_be_read_by_a_page_and_a_preflight_needs_no_token() -> None:
    async def check(served: Served) -> None:
        origin = {"Origin": "https://viewer.example"}
        url = f"http://127.0.0.1:{served.port}/x"
        refused = await served.client.get(url, headers=origin)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://viewer.example"
        asked = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        preflight = await served.client.options(url, headers=asked)
        assert preflight.status_code == 204
        assert "authorization" in preflight.headers["access-control-allow-headers"]

    serving(check, routes=TABLE, guard=LOCK, settings=WebSettings(cors_origins=("https://viewer.example",)))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.:1", 200),
        ("127.0.0.1", 200),
        ("127.0.0.1:8080", 200),
        ("127.1.2.3", 200),
        ("[::1]:8080", 200),
        ("pacs.example", 200),
        ("PACS.example:443", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8080", 421),
        ("localhost@evil.example", 421),
        ("10.0.0.5", 421),
        ("a/localhost", 421),
    ],
)
def test_on_loopback_only_our_names_are_answered(host: str, status: int) -> None:
    """DNS rebinding: pages, health and routes alike."""

    async def check(served: Served) -> None:
        for path in ("/x", "/", "/health/live"):
            answer = await served.client.get(f"http://127.0.0.1:{served.port}{path}", headers={"Host": host})
            assert answer.status_code == status, path
            assert answer.headers["x-content-type-options"] == "nosniff"

    serving(check, routes=TABLE, settings=WebSettings(public_url="https://pacs.example"))


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("", "localhost", 200),
        ("http://localhost", "localhost", 200),
        ("http://localhost:8042", "localhost:8042", 200),
        ("https://viewer.example", "localhost", 200),
        ("https://pacs.example", "localhost", 200),
        ("https://localhost", "localhost", 403),
        ("http://localhost:3000", "localhost:8042", 403),
        ("http://evil.example", "localhost", 403),
        ("null", "localhost", 403),
        ("http://localhost:x", "localhost", 403),
        ("http://localhost.evil.example", "localhost", 403),
    ],
)
def test_on_loopback_a_foreign_page_changes_nothing(origin: str, host: str, status: int) -> None:
    async def check(served: Served) -> None:
        said = f"Origin: {origin}\r\n" if origin else ""
        head = f"Host: {host}\r\n{said}Connection: close\r\nContent-Length: 1\r\n\r\na"
        for method in ("POST", "DELETE"):
            sent = f"{method} /x HTTP/1.1\r\n{head}"
            answer = await served.raw(
                (sent if method == "POST" else sent.replace("Length: 1\r\n\r\na", "Length: 0\r\n\r\n")).encode()
            )
            assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        read = await served.raw(f"GET /x HTTP/1.1\r\nHost: {host}\r\n{said}Connection: close\r\n\r\n".encode())
        assert read.startswith(b"HTTP/1.1 200 ")

    settings = WebSettings(cors_origins=("https://viewer.example",), public_url="https://pacs.example/pacs")
    serving(check, routes=TABLE, settings=settings)


def test_every_origin_may_change_when_the_setting_says_so() -> None:
    async def check(served: Served) -> None:
        url = f"http://127.0.0.1:{served.port}/x"
        answer = await served.client.post(url, content=b"a", headers={"Origin": "https://any.example"})
        assert answer.status_code == 200

    serving(check, routes=TABLE, settings=WebSettings(cors_origins=("*",)))


@pytest.mark.parametrize(
    ("trusted", "expected"), [((), "http://localhost:"), (("127.0.0.1",), "https://pacs.example/p")]
)
def test_b06_forwarded_is_believed_from_a_trusted_proxy_only(trusted: tuple[str, ...], expected: str) -> None:
    async def check(served: Served) -> None:
        said = [
            {"Forwarded": "for=10.0.0.1;proto=https;host=pacs.example"},
            {"X-Forwarded-Host": "pacs.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/p"},
        ]
        bases = []
        for headers in said:
            url = f"http://127.0.0.1:{served.port}/openapi.json"
            answer = await served.client.get(url, headers={**headers, "Host": "localhost"})
            bases.append(answer.json()["servers"][0]["url"])
        wanted = expected.removesuffix("/p"), expected
        assert all(base.startswith(begin) for base, begin in zip(bases, wanted, strict=True)), bases

    serving(check, settings=WebSettings(trusted_proxies=trusted))


@pytest.mark.parametrize(
    ("trusted", "public", "base"),
    [
        ((), "", "http://localhost:{port}"),
        (("127.0.0.0/8",), "", "https://pacs.example:8443/p"),
        (("10.0.0.9",), "", "http://localhost:{port}"),
        (("127.0.0.1",), "https://x.example/y/", "https://x.example/y"),
    ],
)
def test_b06_links_of_answers_over_a_socket_from_a_proxy_and_not(
    trusted: tuple[str, ...], public: str, base: str
) -> None:
    """The links of search and of metadata, which clients follow as they are."""
    (file,) = [one.data for one in files(Shape(studies=1, series=1, instances=1, rows=64))]

    async def check(served: Served) -> None:
        said = {
            "Host": "localhost",
            "X-Forwarded-Host": "pacs.example",
            "X-Forwarded-Port": "8443",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Prefix": "/p",
            "Accept": "application/dicom+json",
        }
        root = base.format(port=served.port) + "/dicomweb/studies/"
        found = (await served.client.get("/instances", headers=said)).json()
        (uid,) = {row["0020000D"]["Value"][0] for row in found}
        assert found[0]["00081190"]["Value"][0].startswith(root + uid)
        metadata = (await served.client.get(f"/studies/{uid}/metadata", headers=said)).json()
        assert metadata[0]["7FE00010"]["BulkDataURI"].startswith(root + uid)

    serving(check, file, settings=WebSettings(trusted_proxies=trusted, public_url=public))
