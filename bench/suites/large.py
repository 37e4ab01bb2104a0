"""Objects larger than memory shall hold: sixteen clients pull frames of one while four more are stored over the web."""

import shutil
import threading
import time
from itertools import chain

from bench import http
from bench.bench import Bench
from bench.http import Wanted, Web
from bench.large import FRAME_BYTES, Large
from bench.looks import one_part
from bench.memory import add_most, watched
from bench.peers import Server, filmroom
from bench.results import Line
from bench.suites.stow import BOUNDARY, HEAD, TAIL
from bench.web_asking import web_of

RESIDENT_MIB_MOST = 400
OBJECT_BYTES = 600_000_000  # --scale 10: what is promised
UPLOAD_BYTES = 500_000_000
UPLOADS = 4
CLIENTS = 16
FRAMES_ASKED = 64  # spread over the object
STRETCH_SECONDS = 1.0
STORE_SECONDS_MAX = 900
ROOM_TIMES = 2.2  # of what is stored: spool files and objects, and what a disk keeps free


def run(bench: Bench) -> None:
    """A fresh server: one object is stored, then all at once."""
    pulled = Large(1, frames(OBJECT_BYTES * bench.scale))
    stored = [Large(number + 2, frames(UPLOAD_BYTES * bench.scale)) for number in range(UPLOADS)]
    size_bytes = sum(one.size_bytes for one in (pulled, *stored))
    bench.folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(bench.folder).free < ROOM_TIMES * size_bytes:
        raise RuntimeError(f"no figure: {bench.folder} has no room for {ROOM_TIMES} times {size_bytes / 1e9:.3g} GB")
    bench.report.heading(
        f"{CLIENTS} clients pull frames of {FRAME_BYTES >> 10} KiB of an object of {pulled.size_bytes / 1e9:.3g} GB, "
        f"{UPLOADS} store one of {stored[0].size_bytes / 1e9:.3g} GB each"
    )
    with bench.room("large") as folder, filmroom(folder) as server:
        try:
            measure(bench, server, pulled, stored)
        finally:
            server.process.popen.kill()
            shutil.rmtree(folder / "store", ignore_errors=True)


def frames(size_bytes: float) -> int:
    """How many make an object of that size."""
    return max(1, round(size_bytes / FRAME_BYTES))


def measure(bench: Bench, server: Server, pulled: Large, stored: list[Large]) -> None:
    """The first object, then uploads and frames at once."""
    web = web_of(server)
    with watched(server.process) as first:
        store(web, pulled)
    requests, wanted = checked_requests(web, pulled)
    failures: list[Exception] = []

    def upload(one: Large) -> None:
        try:
            store(web, one)
        except (OSError, RuntimeError) as error:
            failures.append(error)

    threads = [threading.Thread(target=upload, args=(one,)) for one in stored]
    begun, count = time.perf_counter(), 0
    with watched(server.process) as memory:
        for thread in threads:
            thread.start()
        while count == 0 or any(thread.is_alive() for thread in threads):
            count += http.requests_a_second(web, requests, CLIENTS, STRETCH_SECONDS, wanted).count
        seconds = time.perf_counter() - begun
    if failures:
        raise RuntimeError(f"no figure: {failures[0]}")
    for one in stored:
        checked_requests(web, one)
    add_most(bench.report, "all at once: most resident", memory, RESIDENT_MIB_MOST)
    rates = {
        "  frames meanwhile": ("/s", count / seconds),
        "  stored": ("MB/s", sum(one.size_bytes for one in stored) / seconds / 1e6),
        "  while the first was stored: most resident": ("MiB", first.most_mib),
    }
    for name, (unit, value) in rates.items():
        bench.report.add(Line(measure=name, unit=unit, ours=value))


def store(web: Web, large: Large) -> None:
    """One request that holds the object. RuntimeError at another answer than 200."""
    length = len(HEAD) + large.size_bytes + 2 + len(TAIL)
    head = (
        f"POST {web.root}/studies HTTP/1.1\r\nHost: {web.host}:{web.port}\r\nContent-Length: {length}\r\n"
        f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY.decode()}\r\n\r\n'
    )
    connection = http.Connection(web)
    connection.socket.settimeout(STORE_SECONDS_MAX)
    for piece in chain([head.encode("ascii"), HEAD], large.pieces(), [b"\r\n", TAIL]):
        connection.socket.sendall(piece)
    while not connection.receive():
        pass
    connection.close()
    if connection.answer.status != 200:
        raise RuntimeError(f"no figure: status {connection.answer.status}")


def checked_requests(web: Web, large: Large) -> tuple[list[bytes], list[Wanted]]:
    """For frames all over the object, each answered with its bytes before they are counted, and what is wanted of the
    next answers. RuntimeError."""
    count = min(FRAMES_ASKED, large.frame_count)
    numbers = [1 + index * (large.frame_count - 1) // max(1, count - 1) for index in range(count)]
    path = f"/studies/{large.study_uid}/series/{large.series_uid}/instances/{large.sop_instance_uid}/frames/"
    accept = (
        'multipart/related; type="application/octet-stream"; transfer-syntax=*, multipart/related; type="image/jls"'
    )
    requests = [http.get(web, f"{path}{number}", accept) for number in numbers]
    connection, wanted = http.Connection(web), []
    for number, request in zip(numbers, requests, strict=True):
        answer, check = connection.ask(request), one_part(large.frame(number))
        if answer.status != 200:
            raise RuntimeError(f"no figure: frame {number} is answered with status {answer.status}")
        check(answer)
        wanted.append(Wanted(answer.body_length, answer.body.find(large.frame(number)), large.frame(number), check))
    connection.close()
    return requests, wanted
