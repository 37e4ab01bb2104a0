"""The paper's Figure 8: a flat query with optional keys, all series that were created on one of the days, at 8 am."""

import json
import time
from collections.abc import Callable
from functools import partial

from bench import http
from bench.asking import (
    IMPLICIT_LITTLE,
    RELATIONAL,
    SERIES_UID,
    STUDY_ROOT_FIND,
    check_values,
    found_values,
    series_of_day,
)
from bench.bench import Bench
from bench.content import Wrong
from bench.lean import Association
from bench.peers import Server
from bench.stand import Stand
from bench.taking import Samples, take
from bench.traffic import Series, days
from bench.web_asking import web_of

REPEATS = 10
HOUR = 8


def run(bench: Bench, stand: Stand, series: list[Series]) -> None:
    """Ten times each day, by REST (QIDO-RS) as in the paper, and by C-FIND with relational queries."""
    wanted: dict[str, set[str]] = {day: set() for day in sorted({one.day for one in series}) or days()}
    for one in series:
        if one.time.startswith(f"{HOUR:02d}"):
            wanted[one.day].add(one.series_uid)
    bench.report.note(f"series at {HOUR} h by day: {', '.join(str(len(uids)) for uids in wanted.values())}")
    by_web, by_dimse = stand.speaking_web(), stand.servers
    for number, (day, uids) in enumerate(wanted.items(), 1):
        case = f"day {number}"
        by_web = take(bench.report, by_web, case, REPEATS, partial(asked, by_rest, day, uids))
    for number, (day, uids) in enumerate(wanted.items(), 1):
        case = f"day {number}, C-FIND"
        by_dimse = take(bench.report, by_dimse, case, REPEATS, partial(asked, by_find, day, uids))


def asked(way: Callable[[Server, str, set[str]], float], day: str, wanted: set[str], server: Server, _: int) -> Samples:
    """One question to one server."""
    return {("answer", "ms"): [way(server, day, wanted)]}


def by_rest(server: Server, day: str, wanted: set[str]) -> float:
    """Milliseconds from the first byte of the request to the last of the answer; the answer is read after that."""
    path = f"/series?SeriesDate={day}&SeriesTime={HOUR:02d}0000-{HOUR:02d}5959"
    connection = http.Connection(web_of(server))
    begun = time.perf_counter()
    answer = connection.ask(http.get(web_of(server), path))
    passed = (time.perf_counter() - begun) * 1000
    connection.close()
    if answer.status not in (200, 204):
        raise Wrong(f"no figure: status {answer.status}")
    rows = json.loads(answer.body or b"[]")
    check_values([row.get("0020000E", {}).get("Value", [""])[0] for row in rows], wanted)
    return passed


def by_find(server: Server, day: str, wanted: set[str]) -> float:
    """The same over an association that is open already."""
    with Association(server.target, STUDY_ROOT_FIND, IMPLICIT_LITTLE, RELATIONAL) as association:
        passed, found = found_values(association, series_of_day(day, HOUR), SERIES_UID)
    check_values(found, wanted)
    return passed
