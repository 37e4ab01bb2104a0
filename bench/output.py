"""What people read of a run: CSV, figures, and one HTML page that holds them all."""

import csv
import sys
from importlib.util import find_spec
from pathlib import Path

from bench import page, tables
from bench.results import Results

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


def write_all(found: Results, folder: Path) -> None:
    """All files beside ``results.json``; says where they are."""
    write_samples(found, folder / "samples.csv")
    write_summary(found, folder / "summary.csv")
    drawn: dict[str, str] = {}
    if find_spec("matplotlib") is not None:
        from bench import figures

        drawn = figures.draw_all(found, folder)
    else:
        print("no figures: pip install 'filmroom[bench]'", file=sys.stderr)
    (folder / "report.html").write_text(page.page(found, drawn), "utf-8")
    print(f"\nwritten: {folder}/: results.json, samples.csv, summary.csv, report.html{', figures' if drawn else ''}")


def write_samples(found: Results, path: Path) -> None:
    """One line a sample."""
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(SAMPLES)
        for one in found.measurements:
            for number, taken in enumerate(one.rounds, 1):
                writer.writerows((one.suite, one.case, one.target, one.quantity, one.unit, number, x) for x in taken)


def write_summary(found: Results, path: Path) -> None:
    """One line a row and target."""
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow((*SUMMARY, *SUMMARY_REST))
        for row in tables.rows(found):
            for target, one in row.summaries.items():
                span = (one.interval.low, one.interval.high) if one.interval else ("", "")
                ends = (one.lower_quartile, one.upper_quartile, one.p95, one.least, one.most, one.mean, one.deviation)
                against = (row.beside.times, row.beside.other) if row.beside else ("", "")
                paper = row.published.text if row.published else ""
                head = (row.suite, row.case, row.quantity, row.unit, target, one.count, one.median)
                writer.writerow((*head, *span, *ends, *against, paper))
