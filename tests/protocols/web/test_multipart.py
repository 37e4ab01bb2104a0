"""Multipart bodies: written, read whole, read in every cut, and garbage (C44, H50-H52)."""

import random

import pytest

from protocols.web.media_types import MediaType
from protocols.web.multipart import Malformed, PartBegin, PartData, PartEnd, Reader, Writer, boundary_of

Part = tuple[dict[str, str], bytes]


def read(body: bytes, size: int, boundary: bytes = b"b0") -> list[Part]:
    """Parts of a body that comes in pieces of ``size``."""
    reader, parts, is_open = Reader(boundary), [], False
    headers: dict[str, str] = {}
    data: list[bytes] = []
    for at in range(0, len(body), size):
        for event in reader.feed(body[at : at + size]):
            if isinstance(event, PartBegin):
                assert not is_open
                headers, data, is_open = dict(event.headers), [], True
            elif isinstance(event, PartData):
                assert is_open
                data.append(bytes(event.data))
            else:
                assert isinstance(event, PartEnd) and is_open
                parts.append((headers, b"".join(data)))
                is_open = False
    reader.close()
    assert not is_open
    return parts


def written(*datas: bytes, boundary: str = "b0") -> bytes:
    writer = Writer(boundary)
    return b"".join(writer.head("application/dicom", len(data)) + data for data in datas) + writer.end()


# Data that looks like a boundary, nearly.
DATAS = (
    b"one",
    b"",
    b"\r\n--b",
    b"--b0\r\n",
    b"\r\n--b00\r\n\r\n",
    b"\r",
    b"\r\n\r\n--",
    bytes(300),
    b"\r\n--b0x\r\n--b0--"[:7],
)


def test_what_is_written_is_read_in_every_cut() -> None:
    body = written(*DATAS)
    expected = [({"content-type": "application/dicom", "content-length": str(len(data))}, data) for data in DATAS]
    for size in (*range(1, 40), len(body)):
        assert read(body, size) == expected, size


def test_c44_bodies_of_real_clients() -> None:
    part = ({"content-type": "application/dicom"}, b"DICM")
    for body in (
        b"\r\n--b0\r\nContent-Type: application/dicom\r\n\r\nDICM\r\n--b0--\r\n",
        b"--b0\r\nContent-Type: application/dicom\r\n\r\nDICM\r\n--b0--",
        b"preamble\r\n--b0 \t\r\ncontent-type:application/dicom\r\n\r\nDICM\r\n--b0--  \r\nepilogue\r\n--b0\r\n",
    ):
        for size in (1, 7, len(body)):
            assert read(body, size) == [part], body
    assert read(b"--b0--\r\n", 3) == []
    assert read(b"--b0\r\n\r\nx\r\n--b0\r\nA: 1\r\n 2\r\n\r\ny\r\n--b0--", 2) == [({}, b"x"), ({"a": "1 2"}, b"y")]


def test_large_data_comes_as_views_of_what_was_fed() -> None:
    data = random.Random(4).randbytes(1 << 20)
    reader = Reader(b"b0")
    reader.feed(b"--b0\r\n\r\n")
    (event,) = reader.feed(data)
    assert isinstance(event, PartData) and isinstance(event.data, memoryview) and len(event.data) > len(data) - 8


@pytest.mark.parametrize("seed", range(60))
def test_random_bodies_in_random_pieces(seed: int) -> None:
    chance = random.Random(seed)
    datas = [
        b"".join(
            chance.choice([b"\r", b"\n", b"-", b"--b0", b"\r\n--b", b"xyz", bytes(9)])
            for _ in range(chance.randrange(30))
        )
        for _ in range(chance.randrange(5))
    ]
    datas = [data.replace(b"\r\n--b0", b"") for data in datas]
    datas = [data for data in datas if b"\r\n--b0" not in data]
    assert [data for _, data in read(written(*datas), chance.randrange(1, 60))] == datas


CUT = (
    b"",
    b"no boundary at all" * 9,
    b"--b0\r\nA: 1\r\n\r\ncut",
    b"--b0\r\nA",
    b"--b0\r\n\r\n--b0--",
    b"--b1\r\n\r\n",
)


@pytest.mark.parametrize("body", CUT)
def test_a_cut_body_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body, 5)


def test_h50_h51_bounds() -> None:
    with pytest.raises(Malformed, match="more than"):
        read(b"--b0\r\n\r\n" + b"\r\n--b0\r\n\r\n" * 20_000 + b"\r\n--b0--", 4096)
    reader = Reader(b"b0")
    with pytest.raises(Malformed, match="longer than"):
        for _ in range(1000):
            reader.feed(b"--b0\r\nX: " if not reader._parts_count else bytes(8192))
    reader = Reader(b"b0")
    with pytest.raises(Malformed, match="does not begin"):
        for _ in range(1000):
            reader.feed(bytes(8192))
    with pytest.raises(Malformed, match="without a name"):
        read(b"--b0\r\nno colon\r\n\r\n\r\n--b0--", 99)


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
