"""The traffic of the paper's first test (4.1, Table 3, Figures 6 and 7): 117 imaging devices, seven days, 1.3 TB.

It is a model: how many devices of which kind, how many days and how many bytes in all are the paper's; how a day goes,
how large series are and how they follow each other is assumed below. The record of the real traffic (Mendeley Data
n8mssthnm) is taken in its place when its file is given (``bench.traffic_record``).

``scale`` is a share of the bytes. Half of it (its square root) thins out the series, the other half makes each smaller:
by fewer instances, and where one is left, by a smaller picture. So day curves and bursts keep their form.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta

from msgspec import Struct

from bench.data import CT, ROOT

DEVICES = 117
ACCESS_DEVICES = 20
DAYS = 7
DAY_SECONDS = 86_400
FIRST_DAY = date(2022, 6, 6)  # a Monday
FIRST_DEVICES_EACH = 15  # every 15th device sends on day 1: eight of them, as in the paper
DAY_SHARES = (1.0, 1.0, 1.0, 1.0, 1.0, 0.45, 0.35)
# By the hour from 0 to 23: nights are quiet, the morning is the busiest, a second wave after noon.
HOUR_SHARES = (1, 1, 1, 1, 1, 2, 5, 14, 24, 28, 29, 27, 23, 22, 23, 20, 15, 11, 8, 6, 4, 3, 2, 1)


class Kind(Struct, frozen=True, kw_only=True):
    """One modality of Table 3: how many devices, and what one of them makes. ``series``: of a study."""

    modality: str
    sop_class: str
    devices: int
    studies_a_day: int
    series: int
    instances: int
    rows: int
    frames: int = 1
    series_seconds: int = 90  # from one series of a study to the next


KINDS = (
    Kind(modality="CT", sop_class=CT, devices=37, studies_a_day=17, series=4, instances=110, rows=512),
    Kind(
        modality="DX",
        sop_class="1.2.840.10008.5.1.4.1.1.1.1",
        devices=29,
        studies_a_day=70,
        series=2,
        instances=1,
        rows=2800,
    ),
    Kind(
        modality="CR",
        sop_class="1.2.840.10008.5.1.4.1.1.1",
        devices=27,
        studies_a_day=45,
        series=2,
        instances=1,
        rows=2000,
    ),
    Kind(
        modality="MR",
        sop_class="1.2.840.10008.5.1.4.1.1.4",
        devices=21,
        studies_a_day=16,
        series=9,
        instances=36,
        rows=384,
        series_seconds=240,
    ),
    Kind(
        modality="MG",
        sop_class="1.2.840.10008.5.1.4.1.1.1.2",
        devices=2,
        studies_a_day=30,
        series=4,
        instances=1,
        rows=3500,
    ),
    Kind(
        modality="XA",
        sop_class="1.2.840.10008.5.1.4.1.1.12.1",
        devices=1,
        studies_a_day=10,
        series=6,
        instances=1,
        rows=512,
        frames=80,
    ),
)


class Series(Struct, frozen=True, kw_only=True):
    """One series that is sent in one burst, ``at_seconds`` after the first midnight."""

    at_seconds: float
    device: int
    kind: Kind
    study_uid: str
    series_uid: str
    study: int
    number: int
    instances: int
    rows: int

    @property
    def access_device(self) -> int:
        """Which of the twenty takes it in."""
        return self.device % ACCESS_DEVICES

    @property
    def day(self) -> str:
        """Its SeriesDate."""
        return (FIRST_DAY + timedelta(days=int(self.at_seconds // DAY_SECONDS))).strftime("%Y%m%d")

    @property
    def time(self) -> str:
        """Its SeriesTime."""
        second = int(self.at_seconds % DAY_SECONDS)
        return f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"

    @property
    def size(self) -> int:
        """Bytes of its pixels."""
        return self.instances * 2 * self.rows**2 * self.kind.frames


def model(seed: int, scale: float) -> list[Series]:
    """The seven days in the order of time; the same for the same seed and scale on every machine."""
    return sorted(_series(seed, scale), key=lambda one: (one.at_seconds, one.series_uid))


def days() -> list[str]:
    """SeriesDate of each."""
    return [(FIRST_DAY + timedelta(days=day)).strftime("%Y%m%d") for day in range(DAYS)]


def shrunk(instances: int, pixel_bytes: int, frames: int, share: float) -> tuple[int, int]:
    """Instances and rows of a series that is to hold a share of its bytes."""
    fewer = max(1, round(instances * share))
    rows = round((pixel_bytes * instances * share / fewer / frames / 2) ** 0.5)
    whole = round((pixel_bytes / frames / 2) ** 0.5)
    return fewer, max(16, min(whole, rows + rows % 2))


def _series(seed: int, scale: float) -> Iterator[Series]:
    share, device = min(1.0, scale) ** 0.5, 0
    for kind in KINDS:
        for _ in range(kind.devices):
            for day in range(DAYS):
                if day or not device % FIRST_DEVICES_EACH:
                    yield from _day(random.Random(f"{seed}/{device}/{day}"), kind, seed, device, day, share)
            device += 1


def _day(chance: random.Random, kind: Kind, seed: int, device: int, day: int, share: float) -> Iterator[Series]:
    """What one device makes on one day, thinned out."""
    wanted = kind.studies_a_day * DAY_SHARES[day] * chance.uniform(0.7, 1.3)
    for study in range(round(wanted)):
        hour = chance.choices(range(24), HOUR_SHARES)[0]
        at = (day * 24 + hour) * 3600 + chance.uniform(0, 3000)
        uid = f"{ROOT}.{seed}.{device + 1}.{day + 1}.{study + 1}"
        for number in range(1, kind.series + 1):
            at += kind.series_seconds * chance.uniform(0.5, 1.5)
            kept, spread = chance.random() < share, chance.lognormvariate(-0.125, 0.5)
            whole = kind.instances if kind.instances == 1 else max(1, round(kind.instances * spread))
            instances, rows = shrunk(whole, 2 * kind.rows**2 * kind.frames, kind.frames, share)
            if kept and at < (day + 1) * DAY_SECONDS:
                yield Series(
                    at_seconds=at,
                    device=device,
                    kind=kind,
                    study_uid=uid,
                    series_uid=f"{uid}.{number}",
                    study=(device * DAYS + day) * 1000 + study,
                    number=number,
                    instances=instances,
                    rows=rows,
                )
