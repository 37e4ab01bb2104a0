"""Tiles: a figure, and how it was over the last minutes. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from protocols.web.rest.history import EVERY_SECONDS, Sample
from protocols.web.status_page import shown

MINUTE_COUNT: Final = round(60 / EVERY_SECONDS)  # samples apart


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """``line``: path of a sparkline. ``note``: what else to know. ``is_bad``: somebody should look."""

    label: str
    value: str
    note: str = ""
    line: str = ""
    is_bad: bool = False


def tiles_of(samples: Sequence[Sample], now: Sample, bounds_seconds: Sequence[float], has_node: bool) -> list[Tile]:
    """``samples``: kept ones, the oldest first; ``now``: the last look. Without a node around the archive there are no
    counts of what it holds and no disk."""
    all_samples = [*samples, now]
    stored, asked = _a_minute(all_samples, _stored), _a_minute(all_samples, _asked)
    said = [
        Tile(
            label="Stored a minute",
            value=shown.count(round(stored[-1])) if stored else "–",
            line=shown.sparkline(stored),
        ),
        Tile(
            label="Queries a minute",
            value=shown.count(round(asked[-1])) if asked else "–",
            note=_slowest(all_samples[0], now, bounds_seconds),
            line=shown.sparkline(asked),
        ),
        Tile(
            label="Intake backlog",
            value=shown.size(now.intake_bytes),
            note=f"{shown.count(now.intake_count)} instances" if now.intake_count else "all in its place",
            line=shown.sparkline([one.intake_bytes for one in all_samples]),
        ),
    ]
    if not has_node:
        return said
    held = [
        Tile(
            label="Studies",
            value=shown.count(now.study_count),
            line=shown.sparkline([one.study_count for one in all_samples]),
        ),
        Tile(
            label="Instances",
            value=shown.count(now.instance_count),
            line=shown.sparkline([one.instance_count for one in all_samples]),
        ),
    ]
    return [*held, *said, *_disk(all_samples)]


def _disk(samples: Sequence[Sample]) -> list[Tile]:
    free = [one.free_bytes for one in samples if one.free_bytes is not None]
    if not free:
        return []
    return [Tile(label="Disk free", value=shown.size(free[-1]), line=shown.sparkline(free))]


def _stored(sample: Sample) -> int:
    return sample.stored_count


def _asked(sample: Sample) -> int:
    return sample.query_count


def _a_minute(samples: Sequence[Sample], counted: Callable[[Sample], int]) -> list[float]:
    """How much was counted in the minute before each sample, as far as there are samples; scaled where it is less."""
    found = []
    for at, one in enumerate(samples[1:], 1):
        before = samples[max(0, at - MINUTE_COUNT)]
        minutes = (one.at_us - before.at_us) / 60e6
        found.append(max(0, counted(one) - counted(before)) / minutes if minutes > 0 else 0.0)
    return found


def _slowest(first: Sample, last: Sample, bounds_seconds: Sequence[float]) -> str:
    """Below what 95 of 100 queries were, of all since the first sample."""
    counts = [after - before for before, after in zip(first.query_times, last.query_times, strict=True)]
    total, below = sum(counts), 0
    if not total:
        return "none yet"
    for bound, count in zip(bounds_seconds, counts, strict=False):
        below += count
        if below >= 0.95 * total:
            return f"95 % ≤ {bound * 1000:g} ms"
    return f"over {bounds_seconds[-1]:g} s"
