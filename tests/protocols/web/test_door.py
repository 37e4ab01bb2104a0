"""The door over real sockets: methods, other origins, what is no sound request, slow and gone clients."""

import json
from xml.etree import ElementTree

import msgspec
import pytest
import trio

from protocols.web import WebSettings
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.routes import ROUTES
from protocols.web.routing import Route, Router
from protocols.web.site import Site
from tests.protocols.web.serving import Served, serving


class Stream:
    """A handler whose answer never ends by itself."""

    def __init__(self) -> None:
        self.released = trio.Event()

    async def __call__(self, request: Request, site: Site) -> Reply:
        async def pieces():  # type: ignore[no-untyped-def]
            try:
                while True:
                    yield bytes(65536)
                    await trio.lowlevel.checkpoint()
            finally:
                self.released.set()

        return Reply(200, (("Content-Type", "application/octet-stream"),), pieces())


async def hello(request: Request, site: Site) -> Reply:
    return Reply(200, (("Content-Type", "text/plain"),), b"hello " + request.parameters["study"].encode())


async def read(request: Request, site: Site) -> Reply:
    return Reply(200, (), str(len(await request.body.read())).encode())


async def defect(request: Request, site: Site) -> Reply:
    raise ValueError("Anna^Secret")


async def refuse(request: Request, site: Site) -> Reply:
    raise Problem(409, "not so")


def route(method: str, path: str, handler: object, bytes_max: int = 0) -> Route:
    return Route(method=method, path=path, handler=handler, scope="read", summary="", body_bytes_max=bytes_max)  # type: ignore[arg-type]


TABLE = (
    *ROUTES,
    route("GET", "/x/{study}", hello),
    route("POST", "/x/{study}", read, 100_000),
    route("POST", "/fail/defect", defect),
    route("GET", "/fail/refuse", refuse),
)


def test_a_path_is_found_segment_by_segment() -> None:
    paths = ("/a", "/a/{study}", "/a/{study}/b", "/a/{study}/b/{series}", "/a/{study}/bulk/{path*}")
    router = Router([route("GET", path, hello) for path in paths] + [route("POST", "/a", hello)])

    def found(path: str) -> dict[str, str] | None:
        place = router.find(path)
        return None if place is None else place.parameters

    assert found("/a") == found("/a/") == {}
    assert found("/a/1") == {"study": "1"}
    assert found("/a/1/b/2%2f3") == {"study": "1", "series": "2/3"}
    assert found("/a/1/bulk/x/y/%7A") == {"study": "1", "path": "x/y/z"}
    assert found("/a//b") == found("/b") == found("/a/1/c") == found("/") == found("/a/1/bulk") == None  # noqa: E711
    place = router.find("/a")
    assert place is not None and place.allow == "GET, HEAD, OPTIONS, POST"


def test_h62_methods_and_head() -> None:
    async def check(served: Served) -> None:
        url = f"http://127.0.0.1:{served.port}/x/1.2"
        given = await served.client.get(url)
        assert (given.status_code, given.text, given.headers["content-length"]) == (200, "hello 1.2", "9")
        assert given.headers["x-content-type-options"] == "nosniff" and "content-security-policy" in given.headers
        head = await served.client.head(url)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "9")
        for method in ("TRACE", "PUT", "PATCH", "DELETE", "FOO"):
            refused = await served.client.request(method, url)
            assert refused.status_code == 405 and refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"
            assert refused.json()["status"] == 405
            assert refused.headers["content-type"] == "application/problem+json"
        options = await served.client.options(url)
        assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
        assert (await served.client.get(f"http://127.0.0.1:{served.port}/x")).status_code == 404
        assert (await served.client.get(f"http://127.0.0.1:{served.port}/")).status_code == 200  # a page
        assert (await served.client.get(f"http://127.0.0.1:{served.port}/xx")).status_code == 404

    serving(check, routes=TABLE)


def test_h64_errors_say_nothing_of_a_patient(caplog: pytest.LogCaptureFixture) -> None:
    async def check(served: Served) -> None:
        base = f"http://127.0.0.1:{served.port}/fail"
        answer = await served.client.post(f"{base}/defect")
        assert answer.status_code == 500 and "Anna" not in answer.text
        refused = await served.client.get(f"{base}/refuse")
        assert (refused.status_code, refused.json()["detail"]) == (409, "not so")

    serving(check, routes=TABLE)
    said = [record for record in caplog.records if record.message == "request failed"]
    assert [record.__dict__["error"] for record in said] == ["ValueError"]
    assert "Anna" not in caplog.text and "Anna" not in str([record.__dict__ for record in said])


def test_o15_b07_c43_pages_of_other_origins() -> None:
    async def check(served: Served) -> None:
        url = f"http://127.0.0.1:{served.port}/x/1"
        asked = {"Origin": "https://viewer", "Access-Control-Request-Method": "GET"}
        asked["Access-Control-Request-Headers"] = "accept"
        answer = await served.client.options(url, headers=asked)
        assert answer.status_code == 204 and answer.content == b""
        assert answer.headers["access-control-allow-origin"] == "https://viewer"
        assert "GET" in answer.headers["access-control-allow-methods"]
        for name in ("accept", "authorization", "content-type", "range", "if-none-match"):
            assert name in answer.headers["access-control-allow-headers"]
        assert int(answer.headers["access-control-max-age"]) > 0
        given = await served.client.get(url, headers={"Origin": "https://viewer"})
        assert given.headers["access-control-allow-origin"] == "https://viewer" and given.headers["vary"] == "Origin"
        assert "x-total-count" in given.headers["access-control-expose-headers"]
        for method in ("get", "options"):
            foreign = await getattr(served.client, method)(url, headers=asked | {"Origin": "https://evil"})
            assert not [name for name in foreign.headers if name.startswith("access-control")]

    async def check_closed(served: Served) -> None:
        given = await served.client.get(f"http://127.0.0.1:{served.port}/x/1", headers={"Origin": "https://viewer"})
        assert "access-control-allow-origin" not in given.headers

    serving(check, routes=TABLE, settings=WebSettings(cors_origins=("https://viewer", "https://other")))
    serving(check_closed, routes=TABLE)


def test_c50_capabilities_list_what_is_served() -> None:
    async def check(served: Served) -> None:
        answer = await served.client.options("/")
        assert answer.headers["content-type"] == "application/vnd.sun.wadl+xml" and "OPTIONS" in answer.headers["allow"]
        tree = ElementTree.fromstring(answer.content)
        space = tree.tag.partition("}")[0] + "}"
        listed = {
            (method.get("name"), "/" + str(resource.get("path")))
            for resource in tree.iter(f"{space}resource")
            for method in resource.iter(f"{space}method")
        }
        assert listed == {
            (one.method, one.path.replace("*}", "}")) for one in ROUTES if one.path.startswith("/dicomweb")
        }
        shown = await served.client.get("/", headers={"Accept": "text/html, application/xml;q=0.9, */*;q=0.8"})
        assert (shown.status_code, shown.headers["content-type"]) == (200, "application/xml")
        assert {
            resource.get("path") for resource in ElementTree.fromstring(shown.content).iter(f"{space}resource")
        } == {path[1:] for _, path in listed}
        page = (await served.client.get(f"http://127.0.0.1:{served.port}/")).text
        assert "/dicomweb" in page and "/api/v1" in page and "/openapi.json" in page
        as_json = (await served.client.options("", headers={"Accept": "application/json"})).json()
        found = as_json["application"]["resources"]["resource"]
        assert {(method["name"], "/" + one["path"]) for one in found for method in one["method"]} == listed
        assert (await served.client.options("", headers={"Accept": "image/png"})).status_code == 406
        openapi = (await served.client.get(f"http://127.0.0.1:{served.port}/openapi.json")).json()
        offered = {(method.upper(), path) for path, there in openapi["paths"].items() for method in there}
        for_programs = [one for one in ROUTES if not one.is_page and "html" not in "".join(one.gives)]
        assert offered == {(one.method, one.path.replace("*}", "}")) for one in for_programs}
        assert openapi["servers"] == [{"url": f"http://127.0.0.1:{served.port}"}]

    serving(check)


def test_c50_h62_each_place_answers_its_methods_and_no_other() -> None:
    """What the capabilities list is served; what they do not list is 405, with what is."""
    values = {"study": "1.2", "series": "1.3", "instance": "1.4", "frames": "1", "path": "00100010"}
    values |= {"workitem": "1.5", "ae_title": "WS1"}

    async def check(served: Served) -> None:
        listed = (await served.client.options("", headers={"Accept": "application/json"})).json()
        for resource in listed["application"]["resources"]["resource"]:
            url = f"http://127.0.0.1:{served.port}/{resource['path'].format_map(values)}"
            methods = {one["name"] for one in resource["method"]}
            for method in ("GET", "POST", "PUT", "DELETE", "TRACE", "PATCH", "FOO"):
                answer = await served.client.request(method, url)
                assert (answer.status_code == 405) == (method not in methods), (method, url)
                if answer.status_code == 405:
                    assert set(answer.headers["allow"].split(", ")) >= methods, url

    serving(check)


POST = b"POST /x/1 HTTP/1.1\r\nHost: localhost\r\n"
SOUND = b"GET /x/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        # H54: too large
        (SOUND + b"X: " + bytes([97]) * (1 << 20) + b"\r\n\r\n", (0, 431)),
        (SOUND + b"A: b\r\n" * 10_000 + b"\r\n", (431,)),
        (b"GET /x/1?" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (414, 431)),
        (b"GET /x/1?" + b"a" * 64_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (414, 431)),
        (b"GET /x/1?" + b"a=1&" * 2000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (400,)),
        # H53: whose length is in doubt
        (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", (400,)),
        (b"POST /x/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", (400,)),
        (b"POST /x/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: -3\r\n\r\nabcd", (400,)),
        (b"GET /x/1 HTTP/1.1\nHost: localhost\n\n", (400,)),
        (b"GET /x/1 HTTP/1.1\r\nHost: a\nX: GET /x/2 HTTP/1.1\r\n\r\n", (400,)),
        # H66: no other protocol
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100), (400, 404, 505)),
        (SOUND + b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", (200,)),
        # H55
        (b"GET /x/..%2f..%2fetc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (400,)),
        (b"GET /x/1%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (400,)),
        (b"GET /x/1?a=%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (400,)),
        (b"GET /x/1%0d%0aSet-Cookie:a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (400,)),
        # H27, H49
        (b"POST /x/1 HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", (415,)),
        (b"POST /x/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n", (413,)),
    ],
)  # fmt: skip
def test_h53_h54_h55_h66_what_is_no_sound_request(sent: bytes, statuses: tuple[int, ...]) -> None:
    async def check(served: Served) -> None:
        answer = await served.raw(sent)
        assert int(answer[9:12] or 0) in statuses, answer[:300]
        assert b"Set-Cookie" not in answer and b"etc" not in answer
        assert (await served.client.get(f"http://127.0.0.1:{served.port}/x/1")).status_code == 200

    serving(check, routes=TABLE)


def test_a_body_is_read_to_its_bound() -> None:
    async def check(served: Served) -> None:
        url = f"http://127.0.0.1:{served.port}/x/1"
        assert (await served.client.post(url, content=bytes(100_000))).text == "100000"

        async def endless():  # type: ignore[no-untyped-def]
            while True:
                yield bytes(50_000)

        answer = await served.client.post(url, content=endless())
        assert answer.status_code == 413 and answer.headers["connection"] == "close"
        # another one, of which nobody reads anything
        answer = await served.client.post(f"http://127.0.0.1:{served.port}/fail/refuse", content=endless())
        assert answer.status_code == 405

    serving(check, routes=TABLE)


def test_h49_h63_slow_clients_are_given_up_and_hold_nobody_up() -> None:
    quick = WebSettings(head_seconds_max=1.0, body_idle_seconds_max=0.3)

    async def check(served: Served) -> None:
        slow = [await served.connect() for _ in range(100)]
        for stream in slow:
            await stream.send_all(b"GET /x/1 HTTP/1.1\r\nHost: localhost\r\nX: ")
        with trio.fail_after(0.9):
            assert (await served.client.get(f"http://127.0.0.1:{served.port}/x/1")).status_code == 200
        answer = await served.raw(b"POST /x/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nabc")
        assert answer.startswith(b"HTTP/1.1 408 ")
        with trio.fail_after(10):
            for stream in slow:
                assert await stream.receive_some(1) == b""

    serving(check, routes=TABLE, settings=quick)


def test_a_gone_client_releases_what_its_answer_holds() -> None:
    endless = Stream()

    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 200")
        with trio.fail_after(10):
            await endless.released.wait()

    serving(check, routes=(route("GET", "/endless", endless),))


def test_a_gone_client_ends_a_handler_that_waits() -> None:
    began, ended = trio.Event(), trio.Event()

    async def wait(request: Request, site: Site) -> Reply:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await began.wait()
        with trio.fail_after(10):
            await ended.wait()
        url = f"http://127.0.0.1:{served.port}/soon"
        assert [(await served.client.get(url)).text for _ in range(3)] == ["hello x"] * 3

    async def soon(request: Request, site: Site) -> Reply:
        await trio.lowlevel.checkpoint()
        return Reply(200, (), b"hello x")

    waiting = [
        msgspec.structs.replace(route("GET", path, handler), waits=True)
        for path, handler in (("/wait", wait), ("/soon", soon))
    ]
    serving(check, routes=tuple(waiting))


def test_a_body_that_nobody_asked_for_does_not_take_the_answer_away() -> None:
    async def three(request: Request, site: Site) -> Reply:
        async def pieces():  # type: ignore[no-untyped-def]
            for number in range(3):
                yield b"%d" % number

        return Reply(200, (), pieces())

    async def check(served: Served) -> None:
        for body in (b"x", bytes(3 << 20)):
            answer = await served.client.request("GET", f"http://127.0.0.1:{served.port}/three", content=body)
            assert (answer.text, answer.headers["connection"]) == ("012", "close")

    serving(check, routes=(route("GET", "/three", three, 10 << 20),))


@pytest.mark.parametrize("taken", [0, 1])
def test_h63_a_reader_that_takes_nothing_or_next_to_nothing_is_cut_off(taken: int) -> None:
    endless = Stream()

    async def check(served: Served) -> None:
        stream = await served.connect()

        async def read() -> None:
            while not endless.released.is_set():
                await stream.receive_some(1)
                with trio.move_on_after(0.05):
                    await endless.released.wait()

        async with stream, trio.open_nursery() as nursery:
            await stream.send_all(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if taken:
                nursery.start_soon(read)
            with trio.fail_after(20):
                await endless.released.wait()

    serving(check, routes=(route("GET", "/endless", endless),), settings=WebSettings(send_idle_seconds_max=0.5))


def test_an_idle_connection_does_not_hold_up_the_end() -> None:
    async def check(served: Served) -> None:
        stream = await served.connect()
        await stream.send_all(b"GET /x/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"hello" in await stream.receive_some(4096)
        idle.append(stream)

    idle: list[trio.SocketStream] = []
    serving(check, routes=TABLE, settings=WebSettings(shutdown_seconds=50.0, head_seconds_max=50.0), seconds=20)


def test_c43_more_requests_than_the_node_takes_are_told_to_come_again() -> None:
    go_on = trio.Event()

    async def wait(request: Request, site: Site) -> Reply:
        await go_on.wait()
        return Reply(200, (), b"done")

    async def check(served: Served) -> None:
        url = f"http://127.0.0.1:{served.port}/wait"
        statuses: list[int] = []

        async def ask() -> None:
            answer = await served.client.get(url)
            statuses.append(answer.status_code)
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) >= 1
                go_on.set()

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        assert sorted(statuses) == [200, 200, 503]

    serving(check, routes=(route("GET", "/wait", wait),), settings=WebSettings(requests_count_max=2))


def test_json_is_what_problems_are() -> None:
    assert json.loads(Problem(404, "x").body()) == {"title": "Not Found", "status": 404, "detail": "x"}
