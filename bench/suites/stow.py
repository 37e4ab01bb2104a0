"""STOW-RS beside Orthanc's DICOMweb plug-in: several instances a request and one, by lean clients."""

import threading
from collections.abc import Sequence
from functools import partial

from bench import http
from bench.bench import Bench, shares
from bench.data import File, Shape, study_files
from bench.http import Web
from bench.loading import WARM, Send, Work, load_once
from bench.pairs import compare
from bench.peers import Server, filmroom, orthanc
from bench.stand import Sinks, sinking
from bench.web_asking import web_of

BOUNDARY = b"5f1ae7b0c4d2"
HEAD = b"--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
TAIL = b"--" + BOUNDARY + b"--\r\n"
STUDIES = 2
SINGLE_STUDIES = 1
MANY = 10
CONNECTIONS = (1, 4)
LEAST, MOST_CPU = 5.0, 1 / 5  # wanted of a request of many: times Orthanc's rate, and its processor time


def run(bench: Bench) -> None:
    """A fresh server each time: requests of ten instances over one connection and over four, then of one."""
    with bench.room("sinks") as folder, sinking(folder) as sinks:
        whole = bench.files(Shape(studies=max(1, round(STUDIES * bench.scale)), seed=9))
        by_connections(bench, sinks, whole, CONNECTIONS)
        few = bench.files(Shape(studies=SINGLE_STUDIES, seed=10))
        compare_with(bench, sinks, "1 a request, 1 connection", few, 1, 1)


def by_connections(bench: Bench, sinks: Sinks, files: Sequence[File], counts: Sequence[int]) -> None:
    """Requests of many instances, over one connection after the other's count."""
    bench.report.heading(f"STOW-RS: {len(files)} CT of {len(files[0].data) // 1000} kB")
    for count in counts:
        compare_with(bench, sinks, f"{MANY} a request, {count} connection{'s' * (count > 1)}", files, MANY, count)


def compare_with(
    bench: Bench, sinks: Sinks, name: str, files: Sequence[File], a_request: int, connections: int
) -> None:
    """The lines of one load against both servers."""
    once = partial(load_once, bench, sinks, send=senders(files, a_request, connections), files=files)
    found = compare(partial(once, start=filmroom), partial(once, start=partial(orthanc, web=True)), bench.rounds)
    report, note = bench.report, f"client {found['client_us'].ours:.0f} us"
    least, most = (LEAST, MOST_CPU) if a_request == MANY else (None, None)
    report.compared(f"{name}: to the last answer", "/s", found["rate"], "orthanc", least=least, note=note)
    report.compared("  until the server rests", "/s", found["rate_to_rest"], "orthanc")
    report.compared("  server CPU to the last answer", "us", found["cpu_to_answer_us"], "orthanc", most=most)
    report.compared("  server CPU until it rests", "us", found["cpu_to_rest_us"], "orthanc")


def senders(files: Sequence[File], a_request: int, connections: int) -> Send:
    """So many connections at once, each with its share of the requests; a request has been answered before."""

    def ready(server: Server) -> Work:
        web = web_of(server)
        send(web, [posted(web, [next(study_files(WARM, 0)).data])])
        bodies = [files[first : first + a_request] for first in range(0, len(files), a_request)]
        return partial(send_all, web, [posted(web, [one.data for one in part]) for part in bodies], connections)

    return ready


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
