"""The paper's Figure 9: instances of one day in random order by REST, twice, and what the second pass gains."""

import random
import time
from collections import Counter
from collections.abc import Sequence

from bench import http
from bench.bench import Bench
from bench.content import Truth, Wrong, digest_of
from bench.multipart import parts
from bench.peers import Server
from bench.stand import Stand
from bench.statistics import quantile
from bench.taking import Costs, Samples, take
from bench.traffic import Series
from bench.web_asking import web_of

CHOSEN, OF = 1000, 4874  # the paper's
PAUSE_SECONDS = 120.0  # at scale 1 and above; less below
DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def run(bench: Bench, stand: Stand, series: Sequence[Series]) -> None:
    """One instance in five of the day that has the most; nothing is asked between the passes."""
    servers = stand.speaking_web()
    day, _ = _instances_by_day(series).most_common(1)[0]
    uids = [f"{one.series_uid}.{number}" for one in series if one.day == day for number in range(1, one.instances + 1)]
    count = max(1, min(CHOSEN, round(len(uids) * CHOSEN / OF)))
    chosen = random.Random(bench.settings.seed).sample(uids, count)
    sizes = [stand.truth.places[uid].size / 1e6 for uid in chosen]
    pause = bench.settings.pause_seconds or min(PAUSE_SECONDS, max(1.0, PAUSE_SECONDS * bench.scale))
    report = bench.report
    report.note(f"{count} of {len(uids)} instances of {day}, {sum(sizes):.3g} MB; {pause:.0f} s between the passes")
    report.note(f"their sizes: median {quantile(sizes, 0.5):.2g} MB, {min(sizes):.2g} to {max(sizes):.2g} MB")
    first: dict[str, list[float]] = {}

    def once(server: Server, _: int) -> Samples:
        samples = passed(server, chosen, stand.truth)
        first[server.name] = list(samples["retrieval", "ms"])
        return samples

    def again(server: Server, _: int) -> Samples:
        samples = passed(server, chosen, stand.truth)
        before, now = sum(first[server.name]), sum(samples["retrieval", "ms"])
        return {**samples, ("gain over the first pass", "% gain"): [100 * (1 - now / before)]}

    left = take(report, servers, "first pass", 1, once)
    time.sleep(pause)
    take(report, left, "second pass", 1, again)


def passed(server: Server, uids: Sequence[str], truth: Truth) -> Samples:
    """One after the other over one connection, into memory; what came is hashed when the clocks have stopped."""
    web = web_of(server)
    connection, times = http.Connection(web), []
    taken: list[tuple[str, bytes]] = []
    costs = Costs(server, [])
    for uid in uids:
        place = truth.places[uid]
        path = f"/studies/{place.study_uid}/series/{place.series_uid}/instances/{uid}"
        request = http.get(web, path, DICOM)
        begun = time.perf_counter()
        answer = connection.ask(request)
        times.append((time.perf_counter() - begun) * 1000)
        found = parts(answer.content_type, answer.body) if answer.status == 200 else []
        if len(found) != 1:
            raise Wrong(f"no figure: status {answer.status}, {len(found)} parts instead of one instance")
        taken.append((uid, found[0]))
    connection.close()
    spent = costs.of(len(uids))
    truth.check(((uid, digest_of(part)) for uid, part in taken), uids)
    return {("retrieval", "ms"): times, **spent}


def _instances_by_day(series: Sequence[Series]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in series:
        found[one.day] += one.instances
    return found
