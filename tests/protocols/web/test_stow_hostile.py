"""STOW-RS bodies that no sound client sends, over a real socket; and clients that go (H24, H27, H49-H52, C47)."""

import gc
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing

import engine
from bench.data import Shape
from bench.data import files as made_files
from protocols.web import WebSettings
from protocols.web.problems import Problem
from protocols.web.stow.uploads import THREADS_COUNT_MAX, Uploads
from tests.protocols.web.multiparts import BOUNDARY, body_of, content_type, instances_of, items, store, value
from tests.protocols.web.serving import Served, serving, serving_in
from tests.protocols.web.studies import ROOT, file_of, instance, uids

ONE, TWO = (file_of(instance(1, 1, number)) for number in (1, 2))
LARGE = next(made_files(Shape(series=1, instances=1, rows=1600, seed=2))).data
ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
SEQUENCE = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff"
FAILED, REFERENCED, OTHERS = "00081198", "00081199", "0008119A"
assert len(LARGE) > 4 << 20


async def stored_count(served: Served) -> int:
    return len((await served.client.get("/instances")).json())


def test_h24_sequences_without_end_are_refused() -> None:
    deep = ONE + (SEQUENCE + ITEM) * 20_000

    async def check(served: Served) -> None:
        answer = await store(served, deep, TWO)
        assert answer.status_code == 202
        (failed,) = items(answer, FAILED)
        assert value(failed, "00081197") == 0xC000 and "nested deeper" in value(failed, "00000902")
        assert await stored_count(served) == 1

    serving(check)


def test_h27_an_encoded_body_is_refused() -> None:
    async def check(served: Served) -> None:
        answer = await store(served, ONE, **{"Content-Encoding": "gzip"})
        assert answer.status_code == 415

    serving(check)


def test_h49_a_body_that_is_announced_and_never_comes_costs_nothing() -> None:
    async def check(served: Served) -> None:
        kind = content_type()["Content-Type"]
        before = resident_bytes()
        for sent in (b"", b"--" + BOUNDARY.encode()):
            head = f"POST /dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
            answer = await served.raw(head.encode() + b"Content-Length: 1073741824\r\n\r\n" + sent)
            assert answer.startswith(b"HTTP/1.1 408 ")
        assert resident_bytes() < before + (64 << 20)
        assert (await store(served, ONE)).status_code == 200

    serving(check, settings=WebSettings(body_idle_seconds_max=0.3))


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_h50_parts_without_end_are_refused_and_what_is_empty_is_no_instance() -> None:
    async def check(served: Served) -> None:
        answer = await store(served, *[b""] * 20_000)
        assert answer.status_code == 400 and "parts" in answer.json()["detail"]
        answer = await store(served, *[b""] * 3)
        assert answer.status_code == 409 and len(items(answer, OTHERS)) == 3
        for body in (b"", f"--{BOUNDARY}--\r\n".encode()):
            assert (await served.client.post("/studies", content=body, headers=content_type())).status_code == 400

    serving(check)


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (f"--{BOUNDARY}\r\nX: ".encode() + b"x" * (8 << 20), BOUNDARY),
        (b"x" * (8 << 20), BOUNDARY),
        (body_of(ONE)[:-10], BOUNDARY),
        (body_of(ONE), "another"),
        (body_of(ONE), '"' + "b" * 201 + '"'),
        (body_of(ONE), '"a\\"b;c"'),
        (body_of(ONE), ""),
        (f"--{BOUNDARY}\r\nno colon\r\n\r\nx\r\n--{BOUNDARY}--".encode(), BOUNDARY),
    ],
    ids=range(8),
)
def test_h51_h52_what_is_no_multipart_body_is_refused(body: bytes, boundary: str) -> None:
    async def check(served: Served) -> None:
        answer = await served.client.post("/studies", content=body, headers=content_type(boundary=boundary))
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json" and answer.json()["detail"]
        assert BOUNDARY not in answer.text
        assert (await store(served, ONE)).status_code == 200

    serving(check)


@pytest.mark.parametrize("length", [70, 71, 200])
def test_h52_long_boundaries_are_taken_or_refused(length: int) -> None:
    boundary = "b" * length

    async def check(served: Served) -> None:
        body, headers = body_of(ONE, TWO, boundary=boundary), content_type(boundary=f'"{boundary}"')
        answer = await served.client.post("/studies", content=body, headers=headers)
        assert answer.status_code == 200 or (length > 70 and answer.status_code == 400), answer.text
        assert await stored_count(served) == (2 if answer.status_code == 200 else 0)

    serving(check)


def test_h52_boundaries_inside_data_and_lengths_that_lie_split_nothing() -> None:
    inside = f"\r\n--{BOUNDARY}x\r\n\r\n--{BOUNDARY[:-1]}\r\n".encode() * 3
    made = instance(1)
    made.add_new(0x00104000, "LT", inside.decode())
    file = file_of(made)

    async def check(served: Served) -> None:
        head = b"Content-Type: application/dicom\r\nContent-Length: 7\r\n"
        answer = await served.client.post("/studies", content=body_of(file, TWO, head=head), headers=content_type())
        assert answer.status_code == 200
        assert instances_of(items(answer, REFERENCED)) == [f"{ROOT}.1.1.1", f"{ROOT}.1.1.2"]
        (kept,) = [one async for one in served.archive.fetch(SOPInstanceUID=f"{ROOT}.1.1.1")]
        assert inside in kept.file

    serving(check)


@pytest.mark.parametrize("content", ["", "text/plain", "multipart/form-data; boundary=x", "nonsense"])
def test_what_is_no_store_is_refused(content: str) -> None:
    async def check(served: Served) -> None:
        answer = await served.client.post("/studies", content=ONE, headers={"Content-Type": content})
        assert answer.status_code == 415 and answer.headers["content-type"] == "application/problem+json"

    serving(check)


def test_a_full_intake_says_when_to_come_again_and_keeps_nothing_half() -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:

            async def check(served: Served) -> None:
                log = archive._house.intake.log
                for file in (ONE, LARGE):
                    log.refuse(True)
                    answer = await store(served, file)
                    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
                    log.refuse(False)
                assert await stored_count(served) == 0
                assert archive._house.node.spooled() == []
                assert (await store(served, ONE, LARGE)).status_code == 200

            await serving_in(check, archive)

    trio.run(work)


@pytest.mark.parametrize("sent", [ONE[:300], ONE, LARGE[: 5 << 20]], ids=["head", "whole", "spooled"])
def test_a_client_that_goes_in_the_middle_leaves_nothing_half(sent: bytes) -> None:
    async def work() -> None:
        async with engine.open("memory://") as archive:

            async def check(served: Served) -> None:
                stream = await served.connect()
                head = (
                    "POST /dicomweb/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
                    f"Content-Type: multipart/related; boundary={BOUNDARY}\r\n\r\n"
                )
                part = body_of(sent, head=b"")[: -len(BOUNDARY) - 10]
                await stream.send_all(head.encode() + f"{len(part):x}\r\n".encode() + part + b"\r\n")
                if len(sent) > 4 << 20:
                    with trio.fail_after(20):
                        while not archive._house.node.spooled():
                            await trio.testing.wait_all_tasks_blocked(0.05)
                await stream.aclose()
                with trio.fail_after(20):
                    while archive._house.node.spooled() or await stored_count(served) > 1:
                        await trio.testing.wait_all_tasks_blocked(0.05)
                assert (await store(served, LARGE)).status_code == 200
                gc.collect()
                kept = [one async for one in served.archive.fetch(SOPInstanceUID=f"{ROOT}.1.1.1")]
                assert len(kept) <= 1

            await serving_in(check, archive)

    trio.run(work)


def test_c47_ten_thousand_instances_in_one_request() -> None:
    count = 10_000
    base = file_of(instance(1, 1, 10_000))
    name = f"{ROOT}.1.1.10000".encode()

    def file(number: int) -> bytes:
        return base.replace(name, f"{ROOT}.1.1.{10_000 + number}".encode())

    most = [0]

    async def body() -> AsyncIterator[bytes]:
        for first in range(0, count, 100):
            most[0] = max(most[0], resident_bytes())
            yield body_of(*(file(number) for number in range(first, first + 100)))[: -len(BOUNDARY) - 6]
        yield f"--{BOUNDARY}--".encode()

    async def check(served: Served) -> None:
        before = resident_bytes()
        syncs = served.archive._house.intake.log.statistics()["syncs"]
        answer = await served.client.post("/studies", content=body(), headers=content_type(), timeout=100)
        assert answer.status_code == 200, answer.text[:500]
        assert most[0] < before + (100 << 20)
        kept = items(answer, REFERENCED)
        assert instances_of(kept) == [f"{ROOT}.1.1.{10_000 + number}" for number in range(count)]
        assert served.archive._house.intake.log.statistics()["syncs"] - syncs < count / 50
        assert len(uids((await served.client.get("/instances?limit=10000")).json(), "00080018")) == count

    serving(check, seconds=120)


def test_who_waits_too_long_for_a_thread_is_told_to_come_again() -> None:
    async def work() -> None:
        uploads, begun, go_on = Uploads(wait_seconds_max=0.1), threading.Semaphore(0), threading.Event()

        def hold() -> None:
            begun.release()
            assert go_on.wait(20)

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for _ in range(THREADS_COUNT_MAX):
                    nursery.start_soon(uploads.run, hold)
                for _ in range(THREADS_COUNT_MAX):
                    await trio.to_thread.run_sync(begun.acquire)
                with pytest.raises(Problem) as caught:
                    await uploads.run(int)
                assert caught.value.status == 503 and dict(caught.value.headers)["Retry-After"]
                go_on.set()
            assert await uploads.run(int) == 0

    trio.run(work)
