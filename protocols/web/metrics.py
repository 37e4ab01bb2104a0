"""``/metrics`` in the text form of Prometheus: counts and times of this process, without patient data."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from engine import Measured, Timings
from protocols.web.answered import Answered
from protocols.web.messages import Reply, Request
from protocols.web.ports import Traffic
from protocols.web.site import Site

GIVES: Final = ("text/plain",)


async def metrics(request: Request, site: Site) -> Reply:
    """A reading."""
    registry = CollectorRegistry()
    registry.register(_Reading(await site.archive.measured(), site.traffic, site.answered))
    return Reply(200, (("Content-Type", CONTENT_TYPE_LATEST),), generate_latest(registry))


class _Reading(Collector):
    """One look at everything."""

    def __init__(self, measured: Measured, traffic: Traffic | None, answered: Answered) -> None:
        self._measured = measured
        self._traffic = traffic
        self._answered = answered

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead: names are what ``collect`` gives."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Metric families."""
        read = self._measured
        yield _counter(
            "filmroom_stored_instances", "Records that the intake took (instances and decisions)", read.stored_count
        )
        yield _counter("filmroom_stored_bytes", "Bytes that the intake took", read.stored_bytes)
        yield _histogram(
            "filmroom_acknowledgement_seconds", "From a record's write to its acknowledgement", read.acknowledgements
        )
        yield _histogram("filmroom_query_seconds", "Answers of the index", read.queries)
        yield _histogram(
            "filmroom_first_read_seconds", "Until the first object of a retrieve is open", read.first_reads
        )
        yield _counter("filmroom_syncs", "Group syncs of the intake", read.sync_count)
        yield _counter("filmroom_sync_seconds", "Time that they took", read.sync_seconds)
        yield GaugeMetricFamily("filmroom_intake_bytes", "Acknowledged, and only on this disk", read.intake_bytes)
        yield GaugeMetricFamily("filmroom_intake_instances", "The same, counted", read.intake_count)
        yield GaugeMetricFamily("filmroom_intake_age_seconds", "Age of the oldest of them", read.intake_age_seconds)
        yield _labelled("filmroom_errors", "Work that failed", "kind", read.errors)
        yield from self._associations()
        yield from self._answers()

    def _associations(self) -> Iterator[Metric]:
        if self._traffic is None:
            return
        counts = {"accepted": self._traffic.accepted_count, "rejected": self._traffic.rejected_count}
        yield GaugeMetricFamily("filmroom_associations_open", "Associations that stand", self._traffic.open_count)
        yield _labelled("filmroom_associations", "Associations that were asked for", "outcome", counts)

    def _answers(self) -> Iterator[Metric]:
        labels = ("method", "route", "status")
        answers = CounterMetricFamily("filmroom_http_answers", "Answers over the web", labels=labels)
        for (method, path, status), count in sorted(self._answered.counts.items()):
            answers.add_metric((method, path, str(status)), count)
        yield answers
        summary = "From the head of a request to that of its answer"
        yield _histogram("filmroom_http_answer_seconds", summary, self._answered.stopwatch.timings())


def _counter(name: str, summary: str, value: float) -> Metric:
    return CounterMetricFamily(name, summary, value)


def _labelled(name: str, summary: str, label: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, summary, labels=(label,))
    for key, count in sorted(counts.items()):
        family.add_metric((key,), count)
    return family


def _histogram(name: str, summary: str, timings: Timings) -> Metric:
    below, buckets = 0, []
    for bound, count in zip((*map(str, timings.bounds), "+Inf"), timings.counts, strict=True):
        below += count
        buckets.append((bound, below))
    return HistogramMetricFamily(name, summary, buckets=buckets, sum_value=timings.total_seconds)
