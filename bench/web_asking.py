"""Questions to two DICOMweb servers: what an answer must be, how long it takes, how many a second."""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from bench import http
from bench.bench import Bench
from bench.data import File
from bench.http import Web
from bench.pairs import Comparison, Figures, compare
from bench.peers import Server

Sides = tuple[Server, Server]  # ours, another's
Check = Callable[[http.Answer], None]  # raises RuntimeError

JSON = "application/dicom+json"
RUNS = 20
FIRST_RUNS = 3
SECONDS = 3.0  # of each rate


def both(bench: Bench, sides: Sides, measure: Callable[[Server], Figures]) -> Mapping[str, Comparison]:
    """The measure taken of one and the other."""
    ours, theirs = sides
    return compare(partial(measure, ours), partial(measure, theirs), bench.rounds)


def rates(
    bench: Bench,
    name: str,
    sides: Sides,
    paths: Sequence[str],
    connections: int,
    least: float,
    checks: Sequence[Check],
    accept: str = JSON,
) -> None:
    """Requests a second of both, the paths in turn, and what each costs its server and the client."""
    seconds = SECONDS * min(bench.scale, 1.0)
    found = both(bench, sides, lambda side: rate(side, paths, connections, checks, accept, seconds))
    note = f"client {found['client_us'].ours:.0f} us a request"
    bench.report.compared(name, "/s", found["rate"], sides[1].name, least=least, note=note)
    bench.report.compared("  server CPU a request", "us", found["server_us"], sides[1].name)


def rate(
    side: Server, paths: Sequence[str], connections: int, checks: Sequence[Check], accept: str, seconds: float
) -> Figures:
    """Each path's answer is checked before; those that are counted must have its length."""
    requests = [http.get(web_of(side), path, accept) for path in paths]
    lengths = [checked(side, request, check) for request, check in zip(requests, checks, strict=True)]
    before = side.process.cpu_seconds()
    done = http.requests_a_second(web_of(side), requests, connections, seconds, lengths)
    server_us = (side.process.cpu_seconds() - before) / done.count * 1e6
    return {"rate": done.rate, "client_us": done.client_us, "server_us": server_us}


def times(bench: Bench, name: str, sides: Sides, path: str, count: int) -> None:
    """Median time of a request that is made again and again."""
    found = both(bench, sides, lambda side: again(side, path, count))
    bench.report.compared(name, "ms", found["ms"], sides[1].name, most=1 / 10)


def again(side: Server, path: str, count: int) -> Figures:
    """Of one server."""
    request = http.get(web_of(side), path)
    length = checked(side, request, rows(count))
    return {"ms": statistics.median(http.times_ms(web_of(side), [request] * RUNS, length))}


def first_times(bench: Bench, name: str, sides: Sides, paths: Sequence[str], count: int) -> None:
    """Median time of a request that nobody has made before; takes ``2 * rounds * FIRST_RUNS`` paths."""
    left = {side.name: iter(paths) for side in sides}
    found = both(bench, sides, lambda side: once(side, left[side.name], count))
    bench.report.compared(name, "ms", found["ms"], sides[1].name, most=1 / 10)


def once(side: Server, paths: Iterator[str], count: int) -> Figures:
    """The next paths; what comes is looked at after the clock has stopped."""
    requests = [http.get(web_of(side), path) for path in islice(paths, FIRST_RUNS)]
    passed = http.times_ms(web_of(side), requests, 0)
    for request in requests:
        checked(side, request, rows(count))
    return {"ms": statistics.median(passed)}


def checked(side: Server, request: bytes, check: Check) -> int:
    """The length of an answer that is right. RuntimeError when it is not."""
    connection = http.Connection(web_of(side))
    answer = connection.ask(request)
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"no figure: {side.name} answered {answer.status}")
    check(answer)
    return answer.body_length


def rows(count: int) -> Check:
    """JSON of so many different things."""

    def check(answer: http.Answer) -> None:
        found = json.loads(answer.body)
        named = {json.dumps([row.get(key) for key in ("0020000D", "0020000E", "00080018")]) for row in found}
        if len(found) != count or len(named) != count:
            raise RuntimeError(f"no figure: {len(found)} rows, {len(named)} different, instead of {count}")

    return check


def frame(file: File, frame_bytes: int) -> Check:
    """The file's one frame is in the answer."""

    def check(answer: http.Answer) -> None:
        if file.data[-frame_bytes:] not in answer.body:
            raise RuntimeError("no figure: the answer does not hold the frame")

    return check


def jpeg(size: int) -> Check:
    """A whole JPEG picture of so many rows and columns (its SOF segment says them, ITU-T T.81 B.2.2)."""

    def check(answer: http.Answer) -> None:
        body = answer.body
        begin = next((at for at in (body.find(b"\xff\xc0"), body.find(b"\xff\xc2")) if at > 0), 0)
        said = int.from_bytes(body[begin + 5 : begin + 7], "big"), int.from_bytes(body[begin + 7 : begin + 9], "big")
        if not (body.startswith(b"\xff\xd8") and body.endswith(b"\xff\xd9")) or said != (size, size):
            raise RuntimeError(f"no figure: no JPEG of {size} x {size}: {said}")

    return check


def parts_of(files: Sequence[File]) -> Check:
    """As many parts as files, and the pixels of each."""

    def check(answer: http.Answer) -> None:
        boundary = answer.content_type.partition("boundary=")[2].split(";")[0].strip(' "').encode()
        parts = answer.body.split(b"--" + boundary)[1:-1]
        ends = {part.removesuffix(b"\r\n")[-32:] for part in parts}
        if len(parts) != len(files) or ends != {file.data[-32:] for file in files}:
            raise RuntimeError(f"no figure: {len(parts)} parts of {len(files)}, or other pixels")

    return check


def web_of(side: Server) -> Web:
    """Where it speaks DICOMweb."""
    if side.web is None:
        raise RuntimeError(f"{side.name} does not speak DICOMweb")
    return side.web
