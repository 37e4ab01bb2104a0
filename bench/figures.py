"""The paper's figures, laid out like the paper's, ours beside its published values. Needs matplotlib (``[bench]``)."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.paper import FLAT_QUERY, TABLE_4
from bench.results import Measurement, Results, put
from bench.statistics import median
from bench.suites.replay import planned
from bench.traffic import DAY_SECONDS

COLOURS = ("#1f6feb", "#2da44e", "#bf8700", "#8250df", "#cf222e", "#57606a")
PAPER_COLOUR = "#d0d7de"
SIZES_SHOWN = (2, 8, 32, 128, 512)
INCHES = (9.0, 4.2)


def draw_all(found: Results, folder: Path) -> dict[str, str]:
    """SVG and PNG of each suite that has a figure; the SVG by suite, for the page."""
    drawn: dict[str, str] = {}
    for suite, draw in DRAWINGS.items():
        taken = [one for one in found.measurements if one.suite == suite and one.samples]
        if not taken:
            continue
        drawing = Figure(figsize=INCHES, layout="constrained")
        draw(drawing, found, taken)
        picture, text = io.BytesIO(), io.StringIO()
        drawing.savefig(picture, format="png", dpi=140)
        drawing.savefig(text, format="svg", metadata={"Date": None})
        put(folder / f"{suite}.png", picture.getvalue())
        put(folder / f"{suite}.svg", text.getvalue())
        drawn[suite] = "<svg" + text.getvalue().partition("<svg")[2]
    return drawn


def replay(drawing: Figure, found: Results, taken: Sequence[Measurement]) -> None:
    """Figures 6 and 7: each series by its size, the volume as it grows; and how long responses took."""
    try:
        series = planned(found.settings)
    except (OSError, ValueError):  # the record of the traffic is not here
        series = []
    sizes, volume, responses = drawing.subplots(1, 3)
    moments = [one.at_seconds / DAY_SECONDS + 1 for one in series]
    shades = [COLOURS[one.device % len(COLOURS)] for one in series]
    sizes.vlines(moments, 0, [one.size / 1e6 for one in series], shades, linewidth=0.7)
    sizes.set(title="series (Figure 6)", xlabel="day", ylabel="MB")
    total, grown = 0.0, []
    for one in series:
        total += one.size / 1e9
        grown.append(total)
    volume.plot(moments, grown, color=COLOURS[0])
    volume.set(title="volume (Figure 7)", xlabel="day", ylabel="GB")
    for at, answers in enumerate(_of(taken, "response")):
        ordered = sorted(answers.samples)
        shares = [(place + 1) / len(ordered) * 100 for place in range(len(ordered))]
        responses.plot(ordered, shares, color=COLOURS[at % len(COLOURS)], label=answers.target)
    responses.axvline(2000, color="#cf222e", linestyle=":", label="2 s")
    responses.set(title="responses", xlabel="ms at most", ylabel="% of instances", xscale="log")
    responses.legend(fontsize=7)


def flat_query(drawing: Figure, found: Results, taken: Sequence[Measurement]) -> None:
    """Figure 8: a box a day."""
    axes = drawing.subplots()
    named = [one for one in _of(taken, "answer") if not one.case.endswith("C-FIND")]
    axes.axhspan(FLAT_QUERY.low, FLAT_QUERY.high, color=PAPER_COLOUR, label="paper: 99 ± 20 ms")
    _boxes(axes, named, [one.partition(",")[0] for one in dict.fromkeys(one.case for one in named)])
    axes.set(title="All series of 8 am of a day, by REST (Figure 8)", ylabel="ms", yscale="log")
    _legend(axes)


def random_access(drawing: Figure, found: Results, taken: Sequence[Measurement]) -> None:
    """Figure 9: retrieval times of both passes."""
    axes = drawing.subplots()
    gains = "; ".join(f"{one.target} {median(one.samples):.0f} %" for one in _of(taken, "gain over the first pass"))
    _boxes(axes, _of(taken, "retrieval"), ["first pass", "second pass"])
    axes.set(title=f"Instances by REST (Figure 9). Gain: {gains}; paper ca. 15 %", ylabel="ms", yscale="log")
    _legend(axes)


def parallel_move(drawing: Figure, found: Results, taken: Sequence[Measurement]) -> None:
    """Figure 10: the time of every worker; and the rates."""
    times, rates = drawing.subplots(1, 2)
    named = _of(taken, "time of a worker")
    cases = list(dict.fromkeys(one.case for one in named))
    _boxes(times, named, [case.split()[0] for case in cases])
    times.set(title="time of a worker (Figure 10)", xlabel="workers", ylabel="s", yscale="log")
    _legend(times, "lower left")
    _lines(rates, _of(taken, "instances a second"), lambda case: float(case.split()[0]))
    rates.set(title="all workers", xlabel="workers", ylabel="instances/s", xscale="log")
    rates.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])


def find_instances(drawing: Figure, found: Results, taken: Sequence[Measurement]) -> None:
    """4.2: the ten queries, the first apart."""
    axes = drawing.subplots()
    _boxes(axes, _of(taken, "answer"), ["the first", "the next ten"])
    axes.scatter([1, 1], [140, 230], marker="x", color="#57606a", label="paper: cloud 140, Dcm4chee 230 ms")
    axes.axhspan(87, 123, color=PAPER_COLOUR, label="paper: 105 ± 18 ms", zorder=0)
    axes.set(title="C-FIND of the instances of a series (4.2)", ylabel="ms", yscale="log")
    _legend(axes)


def study_sizes(drawing: Figure, found: Results, taken: Sequence[Measurement]) -> None:
    """Table 4: throughput by study size, a panel for each count of threads."""
    rates = [one for one in _of(taken, "throughput") if not one.case.endswith("kB")]
    for axes, (threads, values) in zip(drawing.subplots(1, len(TABLE_4), sharey=True), TABLE_4.items(), strict=True):
        low, high = [one[2] for one in values.values()], [one[3] for one in values.values()]
        axes.fill_between(list(values), low, high, color=PAPER_COLOUR, label="paper")
        here = [one for one in rates if one.case.startswith(f"{threads} threads")]
        _lines(axes, here, lambda case: float(case.split()[2]))
        axes.set(title=f"{threads} threads (Table 4)", xlabel="MB a study", xscale="log", yscale="log")
        axes.set_xticks(SIZES_SHOWN, [str(size) for size in SIZES_SHOWN])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.legend(fontsize=7)
    drawing.axes[0].set_ylabel("Mbps")


DRAWINGS: Mapping[str, Callable[[Figure, Results, Sequence[Measurement]], None]] = {
    "replay": replay,
    "flat-query": flat_query,
    "random-access": random_access,
    "parallel-move": parallel_move,
    "find-instances": find_instances,
    "study-sizes": study_sizes,
}


def _of(taken: Sequence[Measurement], quantity: str) -> list[Measurement]:
    return [one for one in taken if one.quantity == quantity]


def _legend(axes: Any, place: str = "") -> None:
    """Beside the boxes, where it hides none of them; or inside, at a place."""
    if place:
        axes.legend(fontsize=8, loc=place)
    else:
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))


def _boxes(axes: Any, taken: Sequence[Measurement], labels: Sequence[str]) -> None:
    """For each case a box of each target: quartiles, whiskers to 1.5 of their distance, every sample beyond."""
    cases = list(dict.fromkeys(one.case for one in taken))
    targets = list(dict.fromkeys(one.target for one in taken))
    width = 0.8 / max(1, len(targets))
    for at, target in enumerate(targets):
        own = [one for one in taken if one.target == target]
        places = [cases.index(one.case) + 1 + (at - (len(targets) - 1) / 2) * width for one in own]
        colour = COLOURS[at % len(COLOURS)]
        drawn = axes.boxplot(
            [one.samples for one in own],
            positions=places,
            widths=width * 0.8,
            patch_artist=True,
            manage_ticks=False,
            flierprops={"markersize": 3, "markeredgecolor": colour},
            medianprops={"color": "black"},
        )
        for box in drawn["boxes"]:
            box.set(facecolor=colour, alpha=0.6)
        axes.plot([], [], color=colour, linewidth=6, alpha=0.6, label=target)
    axes.set_xticks(range(1, len(cases) + 1), labels[: len(cases)])


def _lines(axes: Any, taken: Sequence[Measurement], place: Callable[[str], float]) -> None:
    for at, target in enumerate(dict.fromkeys(one.target for one in taken)):
        own = [one for one in taken if one.target == target]
        colour = COLOURS[at % len(COLOURS)]
        axes.plot(
            [place(one.case) for one in own], [median(one.samples) for one in own], "o-", color=colour, label=target
        )
        for one in own:
            axes.plot([place(one.case)] * len(one.samples), one.samples, ".", color=colour, markersize=3)
