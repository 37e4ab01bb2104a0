"""STOW-RS beside Orthanc's DICOMweb plug-in: several instances a request and one, by lean clients."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from bench import http
from bench.asking import check_kept
from bench.bench import Bench, shares
from bench.data import File, Shape
from bench.http import Web
from bench.pairs import Figures, compare
from bench.peers import Server, filmroom, orthanc
from bench.web_asking import web_of

BOUNDARY = b"5f1ae7b0c4d2"
HEAD = b"--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
TAIL = b"--" + BOUNDARY + b"--\r\n"
STUDIES = 2
SINGLE_STUDIES = 1
MANY = 10
# Makes the folders that a new archive lacks: a running one has them.
WARM = Shape(stub=True, seed=998)

Start = Callable[[Path], AbstractContextManager[Server]]


def run(bench: Bench) -> None:
    """A fresh server each time: requests of ten instances over one connection and over four, then of one."""
    whole = bench.files(Shape(studies=max(1, round(STUDIES * bench.scale)), seed=9))
    few = bench.files(Shape(studies=SINGLE_STUDIES, seed=10))
    bench.report.heading(f"STOW-RS: {len(whole)} CT of {len(whole[0].data) // 1000} kB")
    for connections in (1, 4):
        compare_with(bench, f"{MANY} a request, {connections} connections", whole, MANY, connections, 5.0, 1 / 5)
    compare_with(bench, "1 a request, 1 connection", few, 1, 1, None, None)


def compare_with(
    bench: Bench,
    name: str,
    files: Sequence[File],
    count: int,
    connections: int,
    least: float | None,
    most: float | None,
) -> None:
    """The lines of one way to send."""
    with_web: Start = partial(orthanc, web=True)
    found = compare(
        partial(store_once, bench, filmroom, files, count, connections),
        partial(store_once, bench, with_web, files, count, connections),
        bench.rounds,
    )
    report = bench.report
    note = f"client {found['client_us'].ours:.0f} us"
    report.compared(f"{name}: to the last answer", "/s", found["rate"], "orthanc", least=least, note=note)
    report.compared("  until the server rests", "/s", found["rate_to_rest"], "orthanc")
    report.compared("  server CPU to the last answer", "us", found["cpu_to_answer_us"], "orthanc", most=most)
    report.compared("  server CPU until it rests", "us", found["cpu_to_rest_us"], "orthanc")


def store_once(bench: Bench, start: Start, files: Sequence[File], count: int, connections: int) -> Figures:
    """A fresh server, warmed by a request, then the load; refuses a rate unless all is found again."""
    with bench.room("stow") as folder, start(folder) as server:
        bench.report.server(server.name, server.settings)
        web = web_of(server)
        send(web, [posted(web, [one.data for one in bench.files(WARM)[:count]])])
        server.process.await_rest()
        bodies = [files[first : first + count] for first in range(0, len(files), count)]
        requests = [posted(web, [one.data for one in part]) for part in bodies]
        cpu_before, client_before = server.process.cpu_seconds(), time.process_time()
        begun = time.perf_counter()
        send_all(web, requests, connections)
        answered, client = time.perf_counter(), time.process_time() - client_before
        cpu_answered = server.process.cpu_seconds()
        rested = max(answered, server.process.await_rest())
        cpu_rested = server.process.cpu_seconds()
        check_kept(server.target, files)
    return {
        "rate": len(files) / (answered - begun),
        "rate_to_rest": len(files) / (rested - begun),
        "cpu_to_answer_us": (cpu_answered - cpu_before) / len(files) * 1e6,
        "cpu_to_rest_us": (cpu_rested - cpu_before) / len(files) * 1e6,
        "client_us": client / len(files) * 1e6,
    }


def posted(web: Web, files: Sequence[bytes]) -> bytes:
    """A request that stores these, ready to be sent."""
    body = b"".join(HEAD + file + b"\r\n" for file in files) + TAIL
    head = (
        f"POST {web.root}/studies HTTP/1.1\r\nHost: {web.host}:{web.port}\r\nAccept: application/dicom+json\r\n"
        f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY.decode()}\r\n'
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def send(web: Web, requests: Sequence[bytes]) -> None:
    """One after the other. RuntimeError at another answer than 200."""
    connection = http.Connection(web)
    for request in requests:
        status = connection.ask(request).status
        if status != 200:
            raise RuntimeError(f"no rate: status {status}")
    connection.close()


def send_all(web: Web, requests: Sequence[bytes], connections: int) -> None:
    """Over so many connections at once, each with its share."""
    failures: list[Exception] = []

    def sender(share: Sequence[bytes]) -> None:
        try:
            send(web, share)
        except (RuntimeError, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=sender, args=(share,)) for share in shares(list(requests), connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"no rate: {failures[0]}")
