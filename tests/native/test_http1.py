"""Requests as they come over a wire, cut anywhere: h11 is the oracle for what is read, doubt is refused (H49, H53, H54,
H66)."""

import socket
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.http1 import Head, Incoming, Refused

HEAD_BYTES_MAX, HEADERS_COUNT_MAX = 2048, 20
Exchange = tuple[str, str, bytes, dict[str, str], bytes]


def incoming(data: bytes = b"") -> Incoming:
    made = Incoming(HEAD_BYTES_MAX, HEADERS_COUNT_MAX)
    made.feed(data)
    return made


def head_of(data: bytes) -> Head:
    head = incoming(data).head()
    assert head is not None
    return head


def read(pieces: list[bytes]) -> list[Exchange | int]:
    """Every request that is whole in these pieces; at the end the status with which the rest is refused, if it is."""
    coming, found, head, body = incoming(), list[Exchange | int](), None, b""
    try:
        for piece in pieces:
            coming.feed(piece)
            while True:
                if head is None and (head := coming.head()) is None:
                    break
                if (part := coming.body()) is None:
                    break
                body += part
                if not part:
                    assert coming.is_body_whole
                    found.append((head.method, head.path, head.query, head.headers, body))
                    head, body = None, b""
    except Refused as refused:
        found.append(refused.status)
    return found


def read_by_h11(data: bytes) -> list[Exchange]:
    """The same by h11, until it needs more or refuses."""
    connection, found, request, body = h11.Connection(h11.SERVER), list[Exchange](), None, b""
    connection.receive_data(data)
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return found
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            headers: dict[str, str] = {}
            for raw, value in request.headers:
                name = raw.decode()
                said = value.decode("latin-1")
                headers[name] = f"{headers[name]}, {said}" if name in headers else said
            path, _, query = request.target.decode().partition("?")
            found.append((request.method.decode(), path, query.encode(), headers, body))
            body = b""
            try:
                connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                connection.start_next_cycle()
            except h11.LocalProtocolError:
                return found  # the connection ends here
        else:
            return found


GET = b"GET /a/b?c=d&e HTTP/1.1\r\nHost: here\r\nAccept: x/y\r\naccept:  z \r\nEmpty:\r\n\r\n"
SAID = b"POST /said HTTP/1.1\r\nHost: here\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nyou"
CHUNKS = (
    b"PUT /chunks HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\nA;name=value\r\n\r\n\r\n012345\r\n0\r\nTrailer: no\r\n\r\n"
)
OLD = b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
LINE = GET + SAID + CHUNKS + GET


def test_a_line_of_requests_is_read_as_h11_reads_it() -> None:
    assert read([LINE]) == read_by_h11(LINE) and len(read([LINE])) == 4
    method, path, query, headers, _ = read([GET])[0]  # type: ignore[misc]
    assert (method, path, query) == ("GET", "/a/b", b"c=d&e")
    assert headers == {"host": "here", "accept": "x/y, z", "empty": ""}


@pytest.mark.parametrize("data", [LINE, OLD + GET, b"\r\n\r\n" + SAID])
def test_every_cut_gives_the_same(data: bytes) -> None:
    whole = read([data])
    for at in range(len(data) + 1):
        assert read([data[:at], data[at:]]) == whole
    assert read([data[at : at + 1] for at in range(len(data))]) == whole


def test_what_is_read_comes_from_a_socket_too() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        coming, body = incoming(), b""
        assert coming.receive(ours.fileno()) == -1 and coming.head() is None
        sent = bytes(range(256)) * 4000
        theirs.sendall(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(sent) + sent[:100_000])
        assert coming.receive(ours.fileno()) > 0 and coming.head() is not None
        at = 100_000
        while piece := (coming.body() or (coming.receive(ours.fileno()) > 0 and b"more")):
            if piece == b"more":
                continue
            body += piece  # type: ignore[operator]
            theirs.sendall(sent[at : at + 100_000])
            at += 100_000
        assert body == sent and coming.is_body_whole and coming.held_bytes == 0
        theirs.close()
        assert coming.receive(ours.fileno()) == 0
        ours.close()
        with pytest.raises(ConnectionError):
            coming.receive(-1)


@pytest.mark.parametrize(
    ("data", "facts"),
    [
        (GET, (1, 0, True, False)),
        (SAID, (1, 12, True, False)),
        (CHUNKS, (1, -1, True, False)),
        (OLD, (0, 0, True, False)),
        (b"GET / HTTP/1.0\r\n\r\n", (0, 0, False, False)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, CLOSE\r\n\r\n", (1, 0, False, False)),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\nExpect: 100-Continue\r\n\r\n", (1, 7, True, True)),
        (b"POST / HTTP/1.0\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n", (0, 7, False, False)),
    ],
)  # fmt: skip
def test_what_a_head_says(data: bytes, facts: tuple[int, int, bool, bool]) -> None:
    head = head_of(data)
    assert (head.minor, head.length, head.is_keeping, head.is_expecting) == facts


def test_the_forms_of_a_target() -> None:
    head = head_of(b"GET http://there:80/a?b HTTP/1.1\r\nHost: here\r\n\r\n")
    assert (head.path, head.query, head.headers["host"]) == ("/a", b"b", "there:80")
    assert head_of(b"GET HTTPS://there HTTP/1.1\r\nHost: here\r\n\r\n").path == "/"
    assert head_of(b"OPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n").path == "*"


def with_header(line: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://a?b/c HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http:///c HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (with_header(b"Host: a"), 400),
        (with_header(b"X : b"), 400),
        (with_header(b": b"), 400),
        (with_header(b"X"), 400),
        (with_header(b"X: a\r\n folded"), 400),
        (with_header(b"X: a\x00b"), 400),
        (with_header(b"X: a\rb"), 400),
        (with_header(b"X: a\x7fb"), 400),
        (with_header(b"X\xe4: a"), 400),
        (with_header(b"Content-Length: 3\r\nContent-Length: 3"), 400),
        (with_header(b"Content-Length: 3, 3"), 400),
        (with_header(b"Content-Length: -3"), 400),
        (with_header(b"Content-Length: +3"), 400),
        (with_header(b"Content-Length: 3 3"), 400),
        (with_header(b"Content-Length: \xb2"), 400),
        (with_header(b"Content-Length: "), 400),
        (with_header(b"Content-Length: " + b"9" * 19), 400),
        (with_header(b"Content-Length: 3\r\nTransfer-Encoding: chunked"), 400),
        (with_header(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 501),
        (with_header(b"Transfer-Encoding: gzip, chunked"), 501),
        (with_header(b"Transfer-Encoding: identity"), 501),
        (with_header(b"Transfer-Encoding: \x0bchunked"), 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (with_header(b"A: b\r\n" * 19 + b"A: b"), 431),
        (with_header(b"A: " + b"b" * HEAD_BYTES_MAX), 431),
        (b"GET /" + b"a" * HEAD_BYTES_MAX, 431),
    ],
)  # fmt: skip
def test_h49_h53_h54_h66_what_is_in_doubt_is_refused_however_it_is_cut(data: bytes, status: int) -> None:
    assert read([data]) == [status]
    for at in range(1, min(len(data), 120)):
        assert read([data[:at], data[at:]]) == [status]


def in_chunks(body: bytes) -> bytes:
    return with_header(b"Transfer-Encoding: chunked") + body


@pytest.mark.parametrize(
    "body",
    [
        b"3;a=b\r\nabc\r\n0\r\n\r\n",
        b"3 \t;a\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"03\r\nabc\r\n00;\r\nX: \xff\r\nY:\r\n\r\n",
    ],
)  # fmt: skip
def test_what_stands_beside_chunks_counts_for_nothing(body: bytes) -> None:
    ((*_, found),) = read([in_chunks(body)])  # type: ignore[misc]
    assert found == b"abc"


@pytest.mark.parametrize(
    "body",
    [
        b"3 4\r\nabc\r\n0\r\n\r\n",
        b"3;\0\r\nabc\r\n0\r\n\r\n",
        b"3;\nabc\r\n0\r\n\r\n",
        b"3;\r\r\nabc\r\n0\r\n\r\n",
        b"3;" + b"a" * 1024 + b"\r\n",
        b"3" + b" " * 1025 + b"\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"\r\n3\r\nabc\r\n0\r\n\r\n",
        b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"3\r\nabc\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
        b"3\r\nabc\r\n0\r\n folded\r\n\r\n",
        b"3\r\nabc\r\n0\r\n: x\r\n\r\n",
        b"3\r\nabc\r\n0\r\nX : y\r\n\r\n",
        b"3\r\nabc\r\n0\r\nX: \0\r\n\r\n",
        b"3\r\nabc\r\n0\r\nX: y\n\r\n",
        b"3\r\nabc\r\n0\r\nX: " + b"a" * (16 << 10) + b"\r\n\r\n",
    ],
)  # fmt: skip
def test_h53_chunks_that_others_may_read_otherwise_are_refused_however_they_are_cut(body: bytes) -> None:
    data = in_chunks(body) + GET
    assert read([data]) == [400]
    for at in range(1, min(len(data), 120)):
        assert read([data[:at], data[at:]]) == [400]


def test_however_small_chunks_are_what_came_of_them_is_one_piece() -> None:
    """A client that sends a byte a chunk does not make us go round for each."""
    coming = incoming(in_chunks(b"1\r\nx\r\n" * 20_000 + b"1\r"))
    assert coming.head() is not None
    assert coming.body() == b"x" * 20_000 and coming.body() is None
    coming.feed(b"\ny\r\n0\r\n\r\n")
    assert [coming.body(), coming.body()] == [b"y", b""]


def test_h54_a_head_that_does_not_end_is_refused_before_it_does() -> None:
    coming = incoming()
    with pytest.raises(Refused, match="too long"):
        for _ in range(HEAD_BYTES_MAX):
            coming.feed(b"GET /abc")
            assert coming.head() is None


def test_a_line_of_empty_lines_is_no_request_and_takes_no_room() -> None:
    coming = incoming()
    for _ in range(1000):
        coming.feed(b"\r\n" * 1000)
        assert coming.head() is None and coming.held_bytes == 0


def test_a_body_that_is_lent_goes_on_behind_what_was_read() -> None:
    coming = incoming(SAID[:-5] + b"x")
    assert coming.head() is not None and not coming.is_body_whole
    lent = coming.lend()
    assert lent == SAID[SAID.index(b"hello") : -5] + b"x" and coming.held_bytes == 0
    coming.take_back(GET, True)
    head = coming.head()
    assert coming.is_body_whole and head is not None and head.path == "/a/b"
    coming = incoming(SAID)
    coming.head()
    coming.lend()
    coming.take_back(GET, False)
    assert not coming.is_body_whole and coming.held_bytes == 0


TOKENS = st.text("abcXYZ019-_!~", min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12)
TARGETS = st.text("/abc?=&%20.~;:@", max_size=20).map(lambda text: "/" + text)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    lines = [f"{draw(st.sampled_from(['GET', 'POST', 'DELETE']))} {draw(TARGETS)} HTTP/1.1", "Host: a"]
    lines += [f"X{draw(TOKENS)}: {draw(VALUES)}" for _ in range(draw(st.integers(0, 4)))]
    body = draw(st.binary(max_size=60))
    way = draw(st.sampled_from(["none", "said", "chunks"]))
    if way == "none":
        body = b""
    elif way == "said":
        lines.append(f"Content-Length: {len(body)}")
    else:
        lines.append("Transfer-Encoding: chunked")
        size = draw(st.integers(1, 20))
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[first:last] for first, last in pairwise(ends)]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 5000), max_size=6))
def test_any_requests_are_read_as_h11_reads_them_however_they_are_cut(sound: list[bytes], places: list[int]) -> None:
    data = b"".join(sound)
    found = read(cut(data, places))
    assert found == read_by_h11(data) and len(found) == len(sound)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    requests(),
    st.integers(0, 400),
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\0", b" ", b":", b"\xff", b"", b"0", b"\r\n\r\n"]),
    st.integers(0, 3),
    st.lists(st.integers(0, 5000), max_size=3),
)
def test_a_damaged_request_is_refused_or_read_as_h11_reads_it(
    sound: bytes, at: int, put: bytes, taken: int, places: list[int]
) -> None:
    """No byte that we take as one request is another one to h11."""
    at %= len(sound)
    data = sound[:at] + put + sound[at + taken :]
    found = read([data])
    assert read(cut(data, places)) == found
    requests_found = [one for one in found if not isinstance(one, int)]
    theirs = read_by_h11(data)
    if data.startswith(b"\r\n"):
        return  # which h11 takes for no request
    assert requests_found == theirs[: len(requests_found)]
