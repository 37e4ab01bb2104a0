"""Multipart bodies: boundaries, heads of parts (H52); what is read is tested in ``tests/native/test_body.py``."""

import pytest

from protocols.web.forms.media_types import MediaType
from protocols.web.forms.multipart import Malformed, Writer, boundary_of, headers_of


def test_heads_of_parts_are_read() -> None:
    assert headers_of(b"") == {}
    assert headers_of(b"Content-Type: a/b \r\nA: 1\r\n 2\r\nB:\r\n\t3\r\na:4") == {
        "content-type": "a/b",
        "a": "1 2",
        "b": "3",
    }
    for block in (b"no colon", b": x"):
        with pytest.raises(Malformed, match="without a name"):
            headers_of(block)


def test_h52_boundaries() -> None:
    assert boundary_of(MediaType("multipart/related", {"boundary": "a'()+_,-./:=? z"})) == b"a'()+_,-./:=? z"
    for text in ("", "a" * 201, "a ", 'a"b', "ä", "a\r\nb"):
        with pytest.raises(Malformed):
            boundary_of(MediaType("multipart/related", {"boundary": text}))
    assert boundary_of(MediaType("multipart/related", {"boundary": "a" * 200}))


def test_c37_heads_of_parts() -> None:
    writer = Writer("xyz")
    assert writer.content_type("image/jls") == 'multipart/related; type="image/jls"; boundary=xyz'
    head = writer.head("image/jls; transfer-syntax=1.2.840.10008.1.2.4.80", 3, [("Content-Location", "http://a/b")])
    assert head == (
        b"--xyz\r\nContent-Type: image/jls; transfer-syntax=1.2.840.10008.1.2.4.80\r\nContent-Length: 3\r\n"
        b"Content-Location: http://a/b\r\n\r\n"
    )
    assert writer.head("a/b", 0).startswith(b"\r\n--xyz\r\n") and writer.end() == b"\r\n--xyz--\r\n"
    assert Writer("xyz").end() == b"--xyz--\r\n"
