"""A record of real traffic in place of the model: a CSV file with one line a series, such as one made from Mendeley
Data n8mssthnm. Columns are found by their headings, in any order and case; others are passed over::

    moment     when the series was sent: seconds, or an ISO 8601 date and time   (also: time, timestamp, date)
    device     which imaging device                                              (also: model, station, source)
    modality   CT, DX, CR, MR, MG or XA                                          (also: type)
    instances  how many                                                          (also: images, count, files)
    bytes      of the whole series                                               (also: size, volume)

Series are scaled as the model's are: the same share is thinned out, the rest made smaller.
"""

import csv
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from bench.data import ROOT
from bench.traffic import DAYS, KINDS, Kind, Series, shrunk

HEADINGS = {
    "moment": ("moment", "time", "timestamp", "date"),
    "device": ("device", "model", "station", "source"),
    "modality": ("modality", "type"),
    "instances": ("instances", "images", "count", "files"),
    "bytes": ("bytes", "size", "volume"),
}
BY_MODALITY = {kind.modality: kind for kind in KINDS}


def read(path: Path, seed: int, scale: float) -> list[Series]:
    """The first seven days of the record. ValueError when a column is missing or a value cannot be read."""
    with path.open(newline="", encoding="utf-8-sig") as opened:
        reader = csv.DictReader(opened)
        columns = _columns(path, reader.fieldnames or ())
        rows = [{name: row[heading] for name, heading in columns.items()} for row in reader]
    try:
        moments = [_seconds(row["moment"]) for row in rows]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    first = min(moments, default=0.0)
    devices = {name: at for at, name in enumerate(sorted({row["device"] for row in rows}))}
    chance, share = random.Random(seed), min(1.0, scale) ** 0.5
    found = []
    for number, (row, moment) in enumerate(zip(rows, moments, strict=True), 1):
        at = moment - first
        kind = BY_MODALITY.get(row["modality"].strip().upper(), KINDS[0])
        if chance.random() < share and at < DAYS * 86_400:
            found.append(_series(row, at, devices[row["device"]], kind, seed, number, share))
    return sorted(found, key=lambda one: one.at_seconds)


def _columns(path: Path, headings: Sequence[str]) -> dict[str, str]:
    there = {heading.strip().lower(): heading for heading in headings}
    found = {}
    for name, others in HEADINGS.items():
        heading = next((there[other] for other in others if other in there), None)
        if heading is None:
            raise ValueError(f"{path}: no column {name} (nor {', '.join(others[1:])}); it has {', '.join(there)}")
        found[name] = heading
    return found


def _series(row: Mapping[str, str], at: float, device: int, kind: Kind, seed: int, number: int, share: float) -> Series:
    instances = max(1, int(float(row["instances"])))
    size = max(512, int(float(row["bytes"])) // instances)
    fewer, rows = shrunk(instances, size, kind.frames, share)
    uid = f"{ROOT}.{seed}.9.{device + 1}.{number}"
    return Series(
        at_seconds=at,
        device=device,
        kind=kind,
        study_uid=uid,
        series_uid=f"{uid}.1",
        study=number,
        number=1,
        instances=fewer,
        rows=rows,
    )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text.strip()).timestamp()
