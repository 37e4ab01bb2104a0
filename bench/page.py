"""The report of a run as one HTML page that needs nothing else: tables, figures, machine, settings, every refusal."""

from collections.abc import Mapping, Sequence
from html import escape

import msgspec

from bench.paper import CITATION
from bench.report import figure
from bench.results import Results
from bench.tables import Row, behind, cell, remark, rows

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;font-size:13px;display:block;overflow-x:auto}
td,th{padding:.2rem .7rem;border-bottom:1px solid #d8dee4;text-align:right;white-space:nowrap}
td:first-child,td:nth-child(2),th:first-child,th:nth-child(2),td.words{text-align:left}
h2{margin-top:2.5rem}.quiet{color:#57606a}.worse{color:#b42318}.better{color:#1a7f37}svg{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}td,th{border-color:#30363d}svg{background:#fff}}
"""
HOW = (
    "Cells: median [lower-upper quartile] count of samples; no outlier is dropped. Beside: how many times better the "
    "first target is than the best of the others, round by round in alternating order, with the 95 % bootstrap "
    "interval of the pairs when there are five or more; a verdict only where that interval leaves 1 out. Every answer "
    "was checked against what was generated; a target that gave a wrong one has no figure. The paper's values come "
    "from other machines."
)


def page(found: Results, drawn: Mapping[str, str]) -> str:
    """``drawn``: SVG by suite."""
    suites = list(dict.fromkeys([one.suite for one in found.measurements] + [one.suite for one in found.refusals]))
    machine = found.machine_before
    facts = {
        "begun": found.begun,
        "ended": found.ended,
        "version": found.version,
        "machine": f"{machine.processor}, {machine.processor_count} processors, {machine.memory_bytes >> 30} GiB",
        "system": f"Linux {machine.kernel}, {machine.file_system}, Python {machine.python}",
        "load before and after": f"{_load(machine.load)}; {_load(found.machine_after.load)}",
        **{f"version of {name}": version for name, version in machine.peers.items()},
        **{f"target {name}": settings for name, settings in found.servers.items()},
        "settings": msgspec.json.encode(found.settings).decode(),
    }
    body = "".join(_suite(found, suite, drawn.get(suite, "")) for suite in suites)
    title = f"Bench of {', '.join(found.targets())}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f'<h1>{escape(title)}</h1><p class="quiet">{escape(HOW)}</p><p class="quiet">{escape(CITATION)}</p>'
        f"{_table(('', ''), list(facts.items()))}{_behind(found)}{body}</html>\n"
    )


def _behind(found: Results) -> str:
    lost = [(f"{row.suite}, {row.case}", f"{row.quantity}: {remark(row)}") for row in behind(found)]
    if not lost:
        return ""
    return f"<h2>Where {escape(found.targets()[0])} is behind</h2>{_table(('', ''), lost)}"


def _suite(found: Results, suite: str, svg: str) -> str:
    taken = rows(found, suite)
    names = list(dict.fromkeys(name for row in taken for name in row.summaries))
    notes = "".join(f"<li>{escape(text)}</li>" for text in found.notes.get(suite, []))
    refused = "".join(
        f"<li>{escape(', '.join(filter(None, (one.target, one.case))))}: {escape(one.reason)}</li>"
        for one in found.refusals
        if one.suite == suite
    )
    return (
        f"<h2>{escape(suite)}</h2><ul>{notes}</ul>{svg}"
        + _table(("", "", "unit", *names, "beside; paper"), [_cells(row, names) for row in taken])
        + (f"<p>No figure:</p><ul>{refused}</ul>" if refused else "")
    )


def _cells(row: Row, names: Sequence[str]) -> tuple[str, ...]:
    values = (cell(row.summaries.get(name)) for name in names)
    return row.case, row.quantity, row.unit, *values, remark(row)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    heading = "".join(f"<th>{escape(text)}</th>" for text in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in line) + "</tr>" for line in body)
    return f"<table><tr>{heading}</tr>{lines}</table>" if body else ""


def _load(averages: Sequence[float]) -> str:
    return " ".join(figure(value) for value in averages)
