"""The lean HTTP client reads answers as they come, and counts only what is right."""

import socket
import threading

import pytest

from bench import http

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED], ids=["by its length", "in chunks"])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_an_answer_is_read_however_it_is_cut(answer: bytes, step: int) -> None:
    read = http.Answer()
    ends = [read.feed(answer[at : at + step]) for at in range(0, len(answer), step)]
    assert ends == [False] * (len(ends) - 1) + [True]
    assert (read.status, read.body, read.body_length) == (200, b"hello", 5)


def test_an_answer_without_a_length_ends_when_the_server_closes() -> None:
    read = http.Answer()
    assert not read.feed(b"HTTP/1.1 200 OK\r\n\r\nhel") and not read.feed(b"lo")
    assert read.close() and (read.body, read.body_length) == (b"hello", 5)
    cut = http.Answer()
    assert not cut.feed(PLAIN[:-1]) and not cut.close()


def test_a_connection_is_made_anew_behind_an_answer_that_closed_it() -> None:
    closing = b"HTTP/1.1 200 OK\r\n\r\nhello"
    web = serve([closing], connections=3)
    assert len(http.times_ms(web, [http.get(web, "/studies")] * 3, [is_hello] * 3)) == 3


def is_hello(answer: http.Answer) -> None:
    if answer.body != b"hello":
        raise RuntimeError("no figure: no hello")


HELLO = http.Wanted(5, 0, b"hello", is_hello)


def serve(answers: list[bytes], connections: int = 1) -> http.Web:
    """Gives each request of a connection the next answer, then closes it."""
    listening = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        with listening:
            for _ in range(connections):
                with listening.accept()[0] as client:
                    for answer in answers:
                        if client.recv(65536):
                            client.sendall(answer)

    threading.Thread(target=work, daemon=True).start()
    return http.Web(listening.getsockname()[1], "/dicomweb")


def test_rates_and_times_count_what_was_answered() -> None:
    web = serve([PLAIN, CHUNKED, PLAIN])
    requests = [http.get(web, "/studies")]
    assert len(http.times_ms(web, requests * 3, [is_hello] * 3)) == 3
    done = http.requests_a_second(serve([PLAIN]), requests, 1, 0.0, [HELLO])
    assert done.count == 1 and done.rate > 0


@pytest.mark.parametrize(
    "answers",
    [
        [PLAIN.replace(b"200 OK", b"500 No")],
        [PLAIN.replace(b": 5", b": 4")],
        [PLAIN[:-2]],
        [PLAIN.replace(b"hello", b"hellp")],
        [CHUNKED.replace(b"lo\r\n", b"lp\r\n")],
    ],
    ids=["a refusal", "another length", "cut", "another byte", "another byte in a chunk"],
)
def test_no_rate_and_no_time_when_an_answer_is_wrong(answers: list[bytes]) -> None:
    for ask in (
        lambda web, requests: http.requests_a_second(web, requests, 1, 0.0, [HELLO]),
        lambda web, requests: http.times_ms(web, requests, [is_hello]),
    ):
        web = serve(answers)
        with pytest.raises(RuntimeError, match="no figure"):
            ask(web, [http.get(web, "/studies")])


def test_an_answer_with_a_boundary_of_its_own_is_looked_at_again() -> None:
    looked: list[bytes] = []
    wanted = http.Wanted(5, 1, b"ello", lambda answer: looked.append(answer.body))
    for answer in (PLAIN, PLAIN.replace(b"hello", b"jello"), PLAIN.replace(b"hello", b"hallo")):
        http.requests_a_second(serve([answer]), [b"GET / HTTP/1.1\r\n\r\n"], 1, 0.0, [wanted])
    assert looked == [b"hallo"]
