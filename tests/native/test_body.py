"""Bodies from sockets and in pieces: whatever the cuts, the parts are those that a slow, obvious reading finds; each
DICOM file is in the intake, or it is told why not; nothing unfinished is left (C44, C47, H24, H50-H52, H63)."""

import contextlib
import os
import random
import re
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from native import body as native
from native.arrival import Arrival
from native.body import Body
from tests.native.test_arrival import FILES, LARGE, SMALL, TIFF, Intake, canonical_file, canonical_uids

BOUNDARY = b"b0"
BOUNDS: dict[str, Any] = {
    "bytes_max": 1 << 40,
    "heads_bytes_max": 16 << 10,
    "preamble_bytes_max": 16 << 10,
    "parts_count_max": 1000,
}
ENDS = {native.EVENT_END, native.EVENT_UNSOUND, native.EVENT_REFUSED, native.EVENT_LARGE, native.EVENT_GONE}
Part = tuple[bytes, bytes]


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    made = Intake(tmp_path)
    yield made
    os.close(made.segment)
    os.close(made.directory)


def oracle(body: bytes) -> list[Part] | None:
    """Heads and data of the parts; None when it is no multipart body."""
    body = b"\r\n" + body
    parts: list[Part] = []
    at, begun = body.find(b"\r\n--b0"), 0
    while at >= 0:
        behind = re.match(rb"--|[ \t]*(?=\r\n)", body[at + 6 :])
        if behind is None and not parts:
            return None
        if behind is not None:
            if parts:
                parts[-1] = parts[-1][0], body[begun:at]
            if behind[0] == b"--":
                return parts
            line_end = at + 6 + behind.end()
            blank = body.find(b"\r\n\r\n", line_end)
            if blank < 0:
                return None
            parts.append((body[line_end + 2 : blank], b""))
            begun = blank + 4
        at = body.find(b"\r\n--b0", begun if behind is not None else at + 6)
    return None


def pieces_of(body: bytes, chance: random.Random, most: int) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        end = at + chance.randrange(1, most)
        yield body[at:end]
        at = end


def chunked(body: bytes, chance: random.Random) -> bytes:
    chunks = (b"%x;a=b\r\n%s\r\n" % (len(one), one) for one in pieces_of(body, chance, 5000))
    return b"".join(chunks) + b"0\r\nA: 1\r\n\r\n"


def told(body: Body, event: int, parts: list[Part]) -> bool:
    """Whether to go on; what was handed over goes to ``parts``."""
    if event == native.EVENT_HEAD:
        parts.append((body.head, b""))
        body.judge(0)
    elif event == native.EVENT_DATA:
        parts[-1] = parts[-1][0], parts[-1][1] + body.take_data()
    return event in (native.EVENT_HEAD, native.EVENT_DATA, native.EVENT_PART)


def handed(raw: Iterator[bytes], length: int = native.PIECES, **bounds: Any) -> tuple[int, list[Part], bytes]:
    """How it ended, the parts, what came behind it."""
    body, parts = Body(None, BOUNDARY, length, **(BOUNDS | bounds)), list[Part]()
    for piece in raw:
        event = body.feed(piece)
        while told(body, event, parts):
            event = body.feed(b"")
        if event in ENDS:
            return event, parts, body.rest
    event = body.finish()
    while told(body, event, parts):
        event = body.finish()
    return event, parts, body.rest


WORDS = (
    b"\r",
    b"\n",
    b"-",
    b"--b0",
    b"\r\n--b",
    b"\r\n--b0",
    b"\r\n--b0--",
    b"\r\n--b0\r\n",
    b"\r\n\r\n",
    b"A: 1",
    b" ",
    b"xyz",
)


@pytest.mark.parametrize("seed", range(300))
def test_parts_are_those_of_a_slow_reading_whatever_the_cuts(seed: int) -> None:
    chance = random.Random(seed)
    body = b"--b0\r\n\r\n" * (seed % 3 == 0)
    body += b"".join(chance.choices((*WORDS, bytes(chance.randrange(700))), k=chance.randrange(40)))
    body += b"\r\n--b0--" * chance.randrange(2)
    expected = oracle(body)
    for raw, length in (
        (body, native.PIECES),
        (body + b"GET", len(body)),
        (chunked(body, chance) + b"GET", native.CHUNKED),
    ):
        for most in (2, 3, 9, 100, 1 << 20):
            event, parts, rest = handed(pieces_of(raw, chance, most), length)
            if expected is None:
                assert event == native.EVENT_UNSOUND
                continue
            assert (event, parts) == (native.EVENT_END, expected), (seed, most, length)
            assert b"GET".startswith(rest)


def test_large_data_is_handed_over_in_bounded_pieces() -> None:
    data = random.Random(4).randbytes(3 << 20)
    raw = b"--b0\r\n\r\n" + data + b"\r\n--b0--"
    body = Body(None, BOUNDARY, len(raw), **BOUNDS)
    taken, event = [], body.feed(raw)
    while event != native.EVENT_END:
        if event == native.EVENT_HEAD:
            body.judge(0)
        elif event == native.EVENT_DATA:
            taken.append(body.take_data())
        event = body.feed(b"")
    assert b"".join(taken) == data and max(map(len, taken)) <= 1 << 18


@pytest.mark.parametrize("cut", range(len(b"--b0\r\nA: 1\r\n\r\ndata\r\n--b0")))
def test_a_cut_body_is_refused(cut: int) -> None:
    whole = b"--b0\r\nA: 1\r\n\r\ndata\r\n--b0--"
    assert handed(iter((whole[:cut],)))[0] == native.EVENT_UNSOUND
    assert handed(iter((whole,)))[0] == native.EVENT_END


@pytest.mark.parametrize(
    ("raw", "bounds", "event"),
    [
        (b"--b0\r\n\r\n" + b"\r\n--b0\r\n\r\n" * 20 + b"\r\n--b0--", {"parts_count_max": 20}, native.EVENT_UNSOUND),
        (b"--b0\r\n\r\n" + b"\r\n--b0\r\n\r\n" * 20 + b"\r\n--b0--", {"parts_count_max": 21}, native.EVENT_END),
        (b"--b0\r\nX: " + bytes(300_000), {}, native.EVENT_UNSOUND),
        (bytes(300_000), {}, native.EVENT_UNSOUND),
        (b"--b0" + b" " * 300_000, {}, native.EVENT_UNSOUND),
        (b"--b0\r\n\r\n12345\r\n--b0--", {"bytes_max": 20}, native.EVENT_LARGE),
        (b"--b0\r\n\r\n12345\r\n--b0--", {"bytes_max": 21}, native.EVENT_END),
    ],
)  # fmt: skip
@pytest.mark.parametrize("most", [7, 1 << 20])
def test_h50_h51_bounds(raw: bytes, bounds: dict[str, int], event: int, most: int) -> None:
    assert handed(pieces_of(raw, random.Random(1), most), **bounds)[0] == event


@pytest.mark.parametrize(
    "raw", [b"5\nhello", b"5\r\nhelloX", b"g\r\n", b"\r\n", b"fffffffffffffffff\r\n", b"5;" + bytes(2000)]
)
def test_chunks_that_are_not_sound_are_refused(raw: bytes) -> None:
    for most in (2, 100):
        assert handed(pieces_of(raw, random.Random(1), most), native.CHUNKED)[0] == native.EVENT_UNSOUND


# ---------------------------------------------------------------------------------------------------- into the intake


def made_of(*files: bytes, head: bytes = b"Content-Type: application/dicom") -> bytes:
    return b"".join(b"--b0\r\n%s\r\n\r\n%s\r\n" % (head, file) for file in files) + b"--b0--\r\n"


def send(there: socket.socket, raw: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody reads what stands behind a body that is refused
        there.sendall(raw)


def over_socket(body: Body, raw: bytes, idle_ms: int = 5000) -> int:
    """The event that ends it, when all of ``raw`` comes through a socket."""
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        sender = threading.Thread(target=send, args=(there, raw))
        sender.start()
        event = body.run(here.fileno(), idle_ms, 1 << 40)
        while event == native.EVENT_HEAD:
            body.judge(0)
            event = body.run(here.fileno(), idle_ms, 1 << 40)
        here.close()
        sender.join()
    return event


def body_for(intake: Intake, raw: bytes, length: int | None = None, **bounds: Any) -> Body:
    arrival = Arrival(intake.lane(), 0)
    return Body(arrival, BOUNDARY, len(raw) if length is None else length, **(BOUNDS | bounds))


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_files_of_a_body_are_kept_as_their_canonical_files(seed: int, is_chunked: bool, intake: Intake) -> None:
    chance = random.Random(seed)
    names = chance.sample(sorted(FILES), len(FILES)) + ["small"] * 9
    raw = made_of(*(FILES[name] for name in names))
    sent = chunked(raw, chance) if is_chunked else raw
    body = body_for(intake, sent, native.CHUNKED if is_chunked else None)
    assert over_socket(body, sent + b"GET") == native.EVENT_END
    assert b"GET".startswith(body.rest)
    assert [lsn for lsn, _, _ in body.parts] == list(range(1, len(names) + 1))
    intake.log.wait(len(names))
    for name, (lsn, reason, uids) in zip(names, body.parts, strict=True):
        kept = intake.kept_one()
        assert (kept[0], kept[2], reason) == (lsn, canonical_file(FILES[name]), 0), name
        assert list(uids) == canonical_uids(FILES[name])


@pytest.mark.parametrize("seed", range(30))
def test_files_in_any_cuts(seed: int, intake: Intake) -> None:
    chance = random.Random(seed)
    files = [chance.choice(list(FILES.values())) + bytes(chance.randrange(2)) * 0 for _ in range(4)]
    sent = chunked(made_of(*files), chance)
    body = body_for(intake, sent, native.CHUNKED)
    for piece in pieces_of(sent, chance, chance.choice((2, 300, 70_000))):
        event = body.feed(piece)
        while event == native.EVENT_HEAD:
            body.judge(0)
            event = body.feed(b"")
    assert event == native.EVENT_END
    for file in files:
        assert intake.kept_one()[2] == canonical_file(file)


def test_what_cannot_be_kept_is_told_and_what_follows_is_kept(intake: Intake) -> None:
    study = canonical_uids(SMALL)[2]
    other = SMALL.replace(study.encode(), study.encode()[:-1] + b"0")
    files = (SMALL[:-3], b"", b"\r\n--b", b"\xff" * 70_000, LARGE[:-3], SMALL, bytes(132), other, LARGE)
    body = body_for(intake, made_of(*files), study_uid=study)
    assert over_socket(body, made_of(*files)) == native.EVENT_END
    assert [reason for _, reason, _ in body.parts] == [2, 14, 14, 14, 2, 0, 14, native.REASON_OTHER_STUDY, 0]
    assert [intake.kept_one()[2] for _ in range(2)] == [canonical_file(SMALL), canonical_file(LARGE)]
    assert len(intake.spooled()) == 1
    assert body.parts[0][2][:3] == tuple(canonical_uids(SMALL)[:3])


def test_a_verdict_on_a_head_counts_for_parts_like_it(intake: Intake) -> None:
    raw = made_of(SMALL, SMALL, head=b"A: 1")[:-8] + made_of(SMALL)
    body, heads = body_for(intake, raw), []
    event = body.feed(raw)
    while event == native.EVENT_HEAD:
        heads.append(body.head)
        body.judge(100 if heads[-1] == b"A: 1" else 0)
        event = body.feed(b"")
    assert event == native.EVENT_END and heads == [b"A: 1", b"Content-Type: application/dicom"]
    assert [reason for _, reason, _ in body.parts] == [100, 100, 0]


def test_a_kept_preamble_asks_for_a_lane_that_names_it(intake: Intake) -> None:
    raw = made_of(TIFF + SMALL[128:], SMALL)
    body = body_for(intake, raw)
    assert body.feed(raw) == native.EVENT_HEAD
    body.judge(0)
    with pytest.raises(ValueError, match="no part waits"):
        body.keep_in(intake.lane())
    assert body.feed(b"") == native.EVENT_PREAMBLE and body.preamble == TIFF
    body.keep_in(intake.lane(b"other context"))
    assert body.feed(b"") == native.EVENT_END
    assert [intake.kept_one()[1] for _ in range(2)] == [b"other context", b"context"]


def test_a_body_may_be_one_file(intake: Intake) -> None:
    for file in (SMALL, LARGE):
        body = Body(Arrival(intake.lane()), b"", len(file), **BOUNDS)
        assert over_socket(body, file + b"GET") == native.EVENT_END and b"GET".startswith(body.rest)
        assert intake.kept_one()[2] == canonical_file(file)


@pytest.mark.parametrize("file", [SMALL, LARGE])
def test_without_room_the_request_is_refused_unless_something_was_kept(file: bytes, intake: Intake) -> None:
    intake.log.refuse(True)
    body = body_for(intake, made_of(file))
    assert over_socket(body, made_of(file)) == native.EVENT_REFUSED
    with pytest.raises(TimeoutError):
        body.raise_refusal()
    body.close()
    intake.log.refuse(False)
    raw = made_of(SMALL, file, SMALL)
    body = body_for(intake, raw)
    first = len(made_of(SMALL)) - 2
    assert body.feed(raw[:first]) == native.EVENT_HEAD
    body.judge(0)
    assert body.feed(b"") == native.EVENT_NEED
    intake.log.refuse(True)
    assert body.feed(raw[first:]) == native.EVENT_END
    assert [reason for _, reason, _ in body.parts] == [0, 19, 19]
    assert intake.spooled() == []


def test_whoever_goes_leaves_nothing_half(intake: Intake) -> None:
    here, there = socket.socketpair()
    with here:
        here.setblocking(False)
        body = body_for(intake, made_of(LARGE))
        there.sendall(made_of(LARGE)[:30_000])
        assert body.run(here.fileno(), 1, 1 << 30) == native.EVENT_HEAD
        body.judge(0)
        assert body.run(here.fileno(), 1, 1 << 30) == native.EVENT_IDLE
        assert len(intake.spooled()) == 1
        there.close()
        assert body.run(here.fileno(), 60_000, 1 << 30) == native.EVENT_GONE
        body.close()
    assert intake.spooled() == [] and body.parts == []


def drip(there: socket.socket, count: int) -> None:
    for _ in range(count):
        send(there, b"\0")
        select.select([], [], [], 0.001)


def test_H63_who_gives_a_byte_now_and_then_does_not_keep_the_thread(intake: Intake) -> None:
    raw = made_of(LARGE)
    here, there = socket.socketpair()
    dripping = threading.Thread(target=drip, args=(there, 500))
    with here, there:
        here.setblocking(False)
        body = body_for(intake, raw)
        there.sendall(raw[:300])
        assert body.run(here.fileno(), 1000, 1 << 30) == native.EVENT_HEAD
        body.judge(0)
        dripping.start()
        assert body.run(here.fileno(), 20, 1 << 30) == native.EVENT_IDLE
        assert 300 <= body.received_bytes < 600
        here.close()
        dripping.join()


def test_a_budget_ends_a_lease(intake: Intake) -> None:
    raw = made_of(*[LARGE] * 9)
    here, there = socket.socketpair()
    sender = threading.Thread(target=send, args=(there, raw))
    with here, there:
        here.setblocking(False)
        sender.start()
        body, events = body_for(intake, raw), []
        while not events or events[-1] not in ENDS:
            events.append(body.run(here.fileno(), 1000, 10_000))
            if events[-1] == native.EVENT_HEAD:
                body.judge(0)
        sender.join()
    assert events[-1] == native.EVENT_END and events.count(native.EVENT_NEED) > 1
