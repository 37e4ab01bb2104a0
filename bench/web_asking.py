"""Questions to two DICOMweb servers: what an answer must be, how long it takes, how many a second."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from bench import http
from bench.bench import Bench
from bench.http import Check, Wanted, Web
from bench.looks import Look
from bench.pairs import Comparison, Figures, compare
from bench.peers import Server

Sides = tuple[Server, Server]  # ours, another's

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
    looks: Sequence[Look],
    accept: str = JSON,
) -> None:
    """Requests a second of both, the paths in turn, and what each costs its server and the client."""
    seconds = SECONDS * min(bench.scale, 1.0)
    found = both(bench, sides, lambda side: rate(side, paths, connections, looks, accept, seconds))
    note = f"client {found['client_us'].ours:.0f} us a request"
    bench.report.compared(name, "/s", found["rate"], sides[1].name, least=least, note=note)
    bench.report.compared("  server CPU a request", "us", found["server_us"], sides[1].name)


def rate(
    side: Server, paths: Sequence[str], connections: int, looks: Sequence[Look], accept: str, seconds: float
) -> Figures:
    """Each path's answer is looked at before; those that are counted must hold the same."""
    requests = [http.get(web_of(side), path, accept) for path in paths]
    wanted = [looked_at(side, request, look) for request, look in zip(requests, looks, strict=True)]
    before = side.process.cpu_seconds()
    done = http.requests_a_second(web_of(side), requests, connections, seconds, wanted)
    server_us = (side.process.cpu_seconds() - before) / done.count * 1e6
    return {"rate": done.rate, "client_us": done.client_us, "server_us": server_us}


def times(bench: Bench, name: str, sides: Sides, path: str, check: Check) -> None:
    """Median time of a request that is made again and again."""
    found = both(bench, sides, lambda side: again(side, path, check))
    bench.report.compared(name, "ms", found["ms"], sides[1].name, most=1 / 10)


def again(side: Server, path: str, check: Check) -> Figures:
    """Of one server."""
    request = http.get(web_of(side), path)
    checked(side, request, check)
    return {"ms": statistics.median(http.times_ms(web_of(side), [request] * RUNS, [check] * RUNS))}


def first_times(bench: Bench, name: str, sides: Sides, paths: Sequence[tuple[str, Check]]) -> None:
    """Median time of a request that nobody has made before; takes ``2 * rounds * FIRST_RUNS`` paths."""
    left = {side.name: iter(paths) for side in sides}
    found = both(bench, sides, lambda side: once(side, left[side.name]))
    bench.report.compared(name, "ms", found["ms"], sides[1].name, most=1 / 10)


def once(side: Server, paths: Iterator[tuple[str, Check]]) -> Figures:
    """The next paths; what comes is looked at after the clock has stopped."""
    taken = list(islice(paths, FIRST_RUNS))
    requests = [http.get(web_of(side), path) for path, _ in taken]
    return {"ms": statistics.median(http.times_ms(web_of(side), requests, [check for _, check in taken]))}


def looked_at(side: Server, request: bytes, look: Look) -> Wanted:
    """What the next answer to the same must be. RuntimeError when this one is not right."""
    answer = checked(side, request, look.check)
    payload = look.payload or answer.body
    return Wanted(answer.body_length, answer.body.find(payload), payload, look.check)


def checked(side: Server, request: bytes, check: Check) -> http.Answer:
    """An answer that is right. RuntimeError when it is not."""
    connection = http.Connection(web_of(side))
    answer = connection.ask(request)
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"no figure: {side.name} answered {answer.status}")
    check(answer)
    return answer


def web_of(side: Server) -> Web:
    """Where it speaks DICOMweb."""
    if side.web is None:
        raise RuntimeError(f"{side.name} does not speak DICOMweb")
    return side.web
