"""What a node says of itself: figures only."""

from contextlib import suppress

import msgspec

from engine.errors import Unavailable
from engine.house import House
from engine.limits import LIMITS
from engine.measures import Measured, Measures, Timings


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One node's figures. Bytes and counts; ages in seconds."""

    url: str
    writer: str
    tenant: str
    ack: str
    study_count: int
    series_count: int
    instance_count: int
    acknowledged_lsn: int
    folded_lsn: int
    last_stamp_us: int
    unspilled_bytes: int
    unspilled_count: int
    failure: str
    trouble: str
    intake: dict[str, int]


def status_of(house: House) -> Status:
    """Read the figures. Counts see what is acknowledged, unless the index is far behind."""
    log = house.intake.log
    acknowledged = log.acknowledged_lsn()
    with suppress(Unavailable):
        house.ingest.wait_folded(acknowledged, LIMITS.status_wait_seconds_max)
    view = house.index.view()
    unspilled_bytes, unspilled_count = house.intake.unspilled()
    studies, series, instances = view.counts()
    return Status(
        url=house.settings.url,
        writer=house.writer,
        tenant=house.tenant,
        ack=house.settings.ack,
        study_count=studies,
        series_count=series,
        instance_count=instances,
        acknowledged_lsn=acknowledged,
        folded_lsn=house.ingest.folded_lsn,
        last_stamp_us=house.journal.last_stamp(),
        unspilled_bytes=unspilled_bytes,
        unspilled_count=unspilled_count,
        failure=log.failure(),
        trouble=house.intake.trouble(),
        intake=log.statistics(),
    )


def measured(house: House, measures: Measures) -> Measured:
    """Read the counts."""
    log = house.intake.log
    figures, (bounds, counts, seconds) = log.statistics(), log.latencies()
    waiting_bytes, waiting_count = house.intake.unspilled()
    return Measured(
        stored_count=figures["appends"],
        stored_bytes=figures["bytes"],
        acknowledgements=Timings(tuple(bounds), tuple(counts), seconds),
        queries=measures.queries.timings(),
        first_reads=measures.first_reads.timings(),
        errors=dict(measures.errors),
        intake_bytes=waiting_bytes,
        intake_count=waiting_count,
        intake_age_seconds=max(0.0, (house.clock.now_us() - house.intake.oldest_us()) / 1e6) if waiting_count else 0.0,
        sync_count=figures["syncs"],
        sync_seconds=figures["sync_ns"] / 1e9,
    )
