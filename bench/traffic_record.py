"""A record of real traffic in place of the model: a CSV file with one line a series, such as one made from Mendeley
Data n8mssthnm. What its columns are called is not known from any documentation that we found, so they are looked for by
their headings, in any order and case, and others are passed over; ``--columns`` says what they are called instead::

    moment     when the series was sent: seconds, or an ISO 8601 date and time   (also: time, timestamp, date)
    device     which imaging device                                              (also: model, station, source)
    modality   CT, DX, CR, MR, MG or XA; others are sent as CT                   (also: type)
    instances  how many                                                          (also: images, count, files)
    bytes      of the whole series                                               (also: size, volume)

    --columns 'moment=Received at,device=Scanner,bytes=Size [MB]*1e6'            (``*``: a factor of what stands there)

Columns stand apart by comma, semicolon or tab, whichever the first line has most. Series are scaled as the model's are:
the same share is thinned out, the rest made smaller.
"""

import csv
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from bench.data import ROOT
from bench.traffic import DAYS, KINDS, Kind, Series, shrunk

HEADINGS = {
    "moment": ("moment", "time", "timestamp", "date"),
    "device": ("device", "model", "station", "source"),
    "modality": ("modality", "type"),
    "instances": ("instances", "images", "count", "files"),
    "bytes": ("bytes", "size", "volume"),
}
DELIMITERS = ",;\t"
BY_MODALITY = {kind.modality: kind for kind in KINDS}


class Row(Struct, frozen=True):
    """One series of the record."""

    moment: float  # seconds
    device: str
    kind: Kind
    instances: int
    size: int


class Column(Struct, frozen=True):
    """Where a value stands, and what it is to be multiplied by."""

    heading: str
    factor: float = 1.0


def columns_of(text: str) -> dict[str, str]:
    """``moment=HEADING,bytes=HEADING*FACTOR``, by what they hold. Raises ValueError."""
    found = {}
    for word in filter(None, text.split(",")):
        name, _, heading = (part.strip() for part in word.partition("="))
        if name not in HEADINGS or not heading:
            raise ValueError(f"--columns {word}: not NAME=HEADING with a name of {', '.join(HEADINGS)}")
        found[name] = heading
    return found


def read(path: Path, seed: int, scale: float, columns: Mapping[str, str] | None = None) -> list[Series]:
    """The first seven days of the record. ValueError when a column is missing or a value cannot be read: it names the
    columns that are there, or the line."""
    rows = _rows(path, columns or {})
    first = min((row.moment for row in rows), default=0.0)
    devices = {name: at for at, name in enumerate(sorted({row.device for row in rows}))}
    chance, share = random.Random(seed), min(1.0, scale) ** 0.5
    found = []
    for number, row in enumerate(rows, 1):
        at = row.moment - first
        if chance.random() < share and at < DAYS * 86_400:
            found.append(_series(row, at, devices[row.device], seed, number, share))
    return sorted(found, key=lambda one: one.at_seconds)


def _rows(path: Path, said: Mapping[str, str]) -> list[Row]:
    with path.open(newline="", encoding="utf-8-sig") as opened:
        head = opened.readline()
        opened.seek(0)
        reader = csv.DictReader(opened, delimiter=max(DELIMITERS, key=head.count))
        columns = _columns(path, reader.fieldnames or (), said)
        rows = []
        for line in reader:
            try:
                rows.append(_row({name: line[one.heading] or "" for name, one in columns.items()}, columns))
            except ValueError as error:
                raise ValueError(f"{path}: line {reader.line_num}: {error}") from None
    return rows


def _row(values: Mapping[str, str], columns: Mapping[str, Column]) -> Row:
    """ValueError with the column's heading."""

    def number(name: str) -> float:
        try:
            return float(values[name]) * columns[name].factor
        except ValueError:
            raise ValueError(f"column {columns[name].heading}: {values[name]!r} is no number") from None

    try:
        moment = float(values["moment"]) * columns["moment"].factor
    except ValueError:
        moment = datetime.fromisoformat(values["moment"].strip()).timestamp()
    kind = BY_MODALITY.get(values["modality"].strip().upper(), KINDS[0])
    return Row(moment, values["device"], kind, max(1, int(number("instances"))), int(number("bytes")))


def _columns(path: Path, headings: Sequence[str], said: Mapping[str, str]) -> dict[str, Column]:
    there = {heading.strip().lower(): heading for heading in headings}
    found = {}
    for name, others in HEADINGS.items():
        found[name] = _column(there, (said[name],) if name in said else others)
        if not found[name].heading:
            wanted = f"no column {said[name]}" if name in said else f"no column {name} (nor {', '.join(others[1:])})"
            raise ValueError(f"{path}: {wanted}; it has {', '.join(headings)}: say --columns {name}=HEADING")
    return found


def _column(there: Mapping[str, str], names: Sequence[str]) -> Column:
    """The first of the names that is there, as it is or with a factor behind it; no heading: none is."""
    for name in names:
        heading, _, factor = name.rpartition("*")
        if name.lower() in there:
            return Column(there[name.lower()])
        if heading.lower() in there:
            return Column(there[heading.lower()], float(factor))
    return Column("")


def _series(row: Row, at: float, device: int, seed: int, number: int, share: float) -> Series:
    size = max(512, row.size // row.instances)
    fewer, rows = shrunk(row.instances, size, row.kind.frames, share)
    uid = f"{ROOT}.{seed}.9.{device + 1}.{number}"
    return Series(
        at_seconds=at,
        device=device,
        kind=row.kind,
        study_uid=uid,
        series_uid=f"{uid}.1",
        study=number,
        number=1,
        instances=fewer,
        rows=rows,
    )
