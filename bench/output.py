"""What people read of a run: CSV, figures, and one HTML page that holds them all."""

import csv
import io
import sys
from importlib.util import find_spec
from pathlib import Path

from bench import page, tables
from bench.report import say
from bench.results import Results, put
from bench.stages import PAPER

SAMPLES_FILE, SUMMARY_FILE, PAGE_FILE = "samples.csv", "summary.csv", "report.html"
PICTURES = ("png", "svg")
SAMPLES = ("suite", "case", "target", "quantity", "unit", "round", "sample")
SUMMARY = ("suite", "case", "quantity", "unit", "target", "count", "median", "low", "high", "lower_quartile")
SUMMARY_REST = (
    "upper_quartile",
    "p95",
    "least",
    "most",
    "mean",
    "deviation",
    "times_best_other",
    "best_other",
    "paper",
)


def clear(folder: Path) -> None:
    """Away with what an earlier run wrote, so that none of it is taken for this one's, should it be killed: ``report``
    makes it anew from the results that are set aside."""
    for name in (SAMPLES_FILE, SUMMARY_FILE, PAGE_FILE, *(f"{suite}.{kind}" for suite in PAPER for kind in PICTURES)):
        (folder / name).unlink(missing_ok=True)


def write_all(found: Results, folder: Path) -> None:
    """All files beside ``results.json``; says where they are."""
    write_samples(found, folder / SAMPLES_FILE)
    write_summary(found, folder / SUMMARY_FILE)
    drawn: dict[str, str] = {}
    if find_spec("matplotlib") is not None:
        from bench import figures

        drawn = figures.draw_all(found, folder)
    else:
        print("no figures: pip install 'filmroom[bench]'", file=sys.stderr)
    put(folder / PAGE_FILE, page.page(found, drawn))
    say(f"\nwritten: {folder}/: results.json, samples.csv, summary.csv, report.html{', figures' if drawn else ''}")


def write_samples(found: Results, path: Path) -> None:
    """One line a sample."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(SAMPLES)
    for one in found.measurements:
        for number, taken in enumerate(one.rounds, 1):
            writer.writerows((one.suite, one.case, one.target, one.quantity, one.unit, number, x) for x in taken)
    put(path, written.getvalue())


def write_summary(found: Results, path: Path) -> None:
    """One line a row and target."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow((*SUMMARY, *SUMMARY_REST))
    for row in tables.rows(found):
        for target, one in row.summaries.items():
            span = (one.interval.low, one.interval.high) if one.interval else ("", "")
            ends = (one.lower_quartile, one.upper_quartile, one.p95, one.least, one.most, one.mean, one.deviation)
            against = (row.beside.times, row.beside.other) if row.beside else ("", "")
            paper = row.published.text if row.published else ""
            head = (row.suite, row.case, row.quantity, row.unit, target, one.count, one.median)
            writer.writerow((*head, *span, *ends, *against, paper))
    put(path, written.getvalue())
