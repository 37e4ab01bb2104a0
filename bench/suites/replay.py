"""The paper's 4.1: seven days of 117 devices through twenty senders, compressed; no response later than 2 s.

Plain senders stand in place of the access devices for now. A series is one burst over an association of its own, when
its moment has come; a sender that is late goes on at once.
"""

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, field

from bench import traffic, traffic_record
from bench.asking import check_found
from bench.bench import Bench
from bench.data import EXPLICIT_LITTLE, File
from bench.lean import Association, Target
from bench.machine import memory_bytes
from bench.peers import Server
from bench.proving import prove_studies
from bench.results import Settings
from bench.stand import Stand
from bench.tables import LATE
from bench.taking import Costs, Samples, take
from bench.traffic import ACCESS_DEVICES, DAY_SECONDS, DAYS, Series
from bench.traffic_files import series_files

RESPONSE_SECONDS_MOST = 2.0
BYTES_A_SECOND = 40e6  # on the average of the days, unless the time is given
SECONDS_LEAST = 7.0
# Series are all made before the clock starts, when they are no more than this share of memory: whoever makes them
# meanwhile takes the processor from the servers, and keeps senders from seeing their responses.
MADE_MEMORY_SHARE = 1 / 6
SWITCH_SECONDS = 0.0005  # a thread that has its answer must not wait for one that makes the next series


class Told(Struct):
    """What the senders saw."""

    responses_ms: list[float] = field(default_factory=list)
    late_seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def planned(settings: Settings) -> list[Series]:
    """The model's series, or those of the record that was given."""
    scale = settings.scale_of("replay")
    if settings.traffic:
        return traffic_record.read(Path(settings.traffic), settings.seed, scale, settings.columns)
    return traffic.model(settings.seed, scale)


def describe(bench: Bench, series: Sequence[Series]) -> None:
    """Says what the traffic is."""
    what = f"the record {bench.settings.traffic}" if bench.settings.traffic else "a model of the record"
    size, instances = sum(one.size for one in series), sum(one.instances for one in series)
    share = f"scale {bench.settings.scale_of('replay'):g}"
    bench.report.note(f"traffic: {what}; {len(series)} series, {instances} instances, {size / 1e9:.3g} GB ({share})")


def run(bench: Bench, stand: Stand, series: Sequence[Series]) -> None:
    """Fills the stand: who does not keep all is not asked further."""
    size = sum(one.size for one in series)
    seconds = bench.settings.replay_seconds or max(SECONDS_LEAST, size / BYTES_A_SECOND)
    bench.report.note(f"seven days in {seconds:.0f} s, {ACCESS_DEVICES} senders in place of access devices")
    made: dict[str, list[File]] = {}
    for one in series:
        files = series_files(one, bench.settings.seed)
        stand.truth.add(files)
        if size <= MADE_MEMORY_SHARE * memory_bytes():
            made[one.series_uid] = files

    def work(server: Server, number: int) -> Samples:
        costs = Costs(server, [])
        bench.report.say(f"  {server.name}: the seven days begin")
        told, passed = replayed(server.target, series, made, bench.settings.seed, seconds)
        answered = costs.of(len(told.responses_ms))
        if told.failures:
            raise RuntimeError(f"{len(told.failures)} series failed, the first: {told.failures[0]}")
        check_found(server.target, {place: stand.truth.of_series(*place) for place in stand.truth.series})
        late = sum(response > RESPONSE_SECONDS_MOST * 1000 for response in told.responses_ms)
        return {
            ("response", "ms"): told.responses_ms,
            ("the latest response", "ms"): [max(told.responses_ms)],
            (LATE, "count"): [late],
            ("begun after its moment", "s"): told.late_seconds,
            ("taken in", "MB/s"): [size / 1e6 / passed],
            **answered,
        }

    kept = {server.name for server in take(bench.report, stand.servers, "seven days", 1, work)}
    stand.servers = [server for server in stand.servers if server.name in kept]


def prove(bench: Bench, stand: Stand) -> None:
    """Whoever does not give back all that it took in, whole and unaltered, has no figure of the seven days. It comes
    last in its stage: what is read here is not new to a server any more."""
    for server in list(stand.servers):
        bench.report.show(f"reading back from {server.name}")
        try:
            prove_studies(server.target, stand.sinks, stand.truth, stand.truth.studies)
        except (RuntimeError, OSError) as failure:
            bench.report.withdraw("replay", server.name, str(failure) or type(failure).__name__)


def replayed(
    target: Target, series: Sequence[Series], made: dict[str, list[File]], seed: int, seconds: float
) -> tuple[Told, float]:
    """What the senders saw, and the seconds until the last has ended."""
    told, lock, ended = Told(), threading.Lock(), threading.Event()
    pace = seconds / (DAYS * DAY_SECONDS)
    begun = time.perf_counter()

    def send(own: Sequence[Series]) -> None:
        for one in own:
            files = made.get(one.series_uid) or series_files(one, seed)
            due = begun + one.at_seconds * pace
            if ended.wait(max(0.0, due - time.perf_counter())):
                return
            late = time.perf_counter() - due
            try:
                responses = burst(target, files)
            except (RuntimeError, OSError) as failure:
                with lock:
                    told.failures.append(str(failure) or type(failure).__name__)
                continue
            with lock:
                told.responses_ms += responses
                told.late_seconds.append(late)

    threads = [
        threading.Thread(target=send, args=([one for one in series if one.access_device == number],))
        for number in range(ACCESS_DEVICES)
    ]
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        ended.set()  # whoever interrupts does not wait for the days to go by
        sys.setswitchinterval(before)
    return told, time.perf_counter() - begun


def burst(target: Target, files: Sequence[File]) -> list[float]:
    """A series over an association of its own: milliseconds from the first byte of each instance to its response."""
    responses = []
    with Association(target, files[0].sop_class, EXPLICIT_LITTLE) as association:
        for file in files:
            begun = time.perf_counter()
            association.store([file])
            responses.append((time.perf_counter() - begun) * 1000)
    return responses
