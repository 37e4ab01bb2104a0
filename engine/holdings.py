"""What an archive holds, by modality: one look at every series."""

import msgspec

from engine.index import Row, View
from engine.index.texts import text_of
from engine.model import Level


class Holding(msgspec.Struct, frozen=True):
    """Of one modality; a study of several counts in each."""

    study_count: int = 0
    series_count: int = 0
    instance_count: int = 0
    size_bytes: int = 0


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """Of all; ``size_bytes``, ``several_versions_count`` and ``conflict_count`` as ``model.Sums``."""

    study_count: int
    series_count: int
    instance_count: int
    size_bytes: int
    several_versions_count: int
    conflict_count: int
    modalities: dict[str, Holding]
    reckoned_us: int


def holdings_of(view: View, now_us: int) -> Holdings:
    """Reckoned from the sums of every series; patient data is not read."""
    studies: dict[str, set[str]] = {}
    found: dict[str, Holding] = {}
    several = elsewhere = 0
    for row in view.every(Level.SERIES):
        modality = text_of(row.header, 0x00080060)
        studies.setdefault(modality, set()).add(row.facts.study_uid)
        found[modality] = _with(found.get(modality, Holding()), row)
        several += row.facts.sums.several_count
        elsewhere += row.facts.sums.elsewhere_count
    modalities = {
        name: msgspec.structs.replace(holding, study_count=len(studies[name]))
        for name, holding in sorted(found.items())
    }
    return Holdings(
        study_count=len(set().union(*studies.values())),
        series_count=sum(one.series_count for one in found.values()),
        instance_count=sum(one.instance_count for one in found.values()),
        size_bytes=sum(one.size_bytes for one in found.values()),
        several_versions_count=several,
        conflict_count=elsewhere,
        modalities=modalities,
        reckoned_us=now_us,
    )


def _with(holding: Holding, row: Row) -> Holding:
    count = int(text_of(row.header, 0x00201209) or 0)
    return Holding(
        0, holding.series_count + 1, holding.instance_count + count, holding.size_bytes + row.facts.sums.size_bytes
    )
