"""What a node says of itself: figures only."""

import msgspec

from engine.house import House


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
    unspilled_bytes: int
    unspilled_count: int
    failure: str
    intake: dict[str, int]


def status_of(house: House) -> Status:
    """Read the figures. Counts are those of a fresh view."""
    log = house.intake.log
    acknowledged = log.acknowledged_lsn()
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
        unspilled_bytes=unspilled_bytes,
        unspilled_count=unspilled_count,
        failure=log.failure(),
        intake=log.statistics(),
    )
