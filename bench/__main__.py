"""``python -m bench`` and ``filmroom bench``: figures of our server and of others."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

from bench import catching, comparing, data, results, sink, tables
from bench.output import clear, write_all
from bench.reaching import Unreached, reach
from bench.report import say
from bench.results import NotWhole, Results, Settings
from bench.running import run
from bench.words import completed, parser, settings_of

UNREACHABLE, INTERRUPTED = 3, 130


def main(words: Sequence[str] | None = None, program: str = "python -m bench") -> int:
    """Exit status: 1 when an answer of the first target or of one given by its address was wrong, or a row is below
    ``--fail-under``; 2 usage, 3 a target does not answer, 130 interrupted."""
    reading = parser(program)
    asked = reading.parse_args(completed(list(sys.argv[1:] if words is None else words)))
    try:
        return _done(asked)
    except (NotWhole, ValueError) as error:
        reading.error(str(error))
    except Unreached as error:
        print(f"{program}: {error}", file=sys.stderr)
        return UNREACHABLE
    except KeyboardInterrupt:
        return INTERRUPTED


def _done(asked: argparse.Namespace) -> int:
    match asked.command:
        case "quick" | "paper" | "run":
            return measure(settings_of(asked), asked)
        case "again":
            return measure(results.read(asked.results).settings, asked)
        case "compare":
            return compare(results.read(asked.first), results.read(asked.second), asked.margin, asked.fail_under)
        case "report":
            write_all(results.read(asked.results), asked.results.parent)
        case "schema":
            say(json.dumps(results.schema(), indent=1))
        case "data":
            shape = data.Shape(studies=asked.studies, seed=asked.seed, stub=asked.stub)
            say(f"{data.write(shape, asked.folder)} files")
        case "sink":
            trio.run(sink.run, asked.folder, asked.segments)
        case "catch":
            catching.run(asked.ports, asked.only)
    return 0


def measure(settings: Settings, asked: argparse.Namespace) -> int:
    """Reach the targets, run, write everything, and say how it ended."""
    reach(settings.targets)
    out: Path = asked.out or asked.output / "results.json"
    clear(out.parent)
    found = run(settings, asked.folder, out)
    write_all(found, out.parent)
    return outcome(found, asked.fail_under)


def outcome(found: Results, fail_under: float | None) -> int:
    """1 when the first target gave no figure where one was asked for, or is beaten by more than was allowed; or when
    one given by its address failed at what it offers."""
    named = [text.partition("=")[0] for text in found.settings.targets]
    first = next(iter([*found.settings.servers, *named]), "")
    refused = [one for one in found.refusals if one.target in ("", first) or (one.is_error and one.target in named)]
    late = tables.late(found, first)
    if late:
        print(f"{first}: {late} responses came later than 2 s", file=sys.stderr)
    if fail_under is None:
        return 1 if refused or late else 0
    rows = [row for row in tables.rows(found) if row.beside is not None]
    below = [row for row in rows if row.beside is not None and row.beside.times < fail_under]
    for row in below:
        print(f"below {fail_under:g}: {row.suite}, {row.case}: {row.quantity}: {tables.remark(row)}", file=sys.stderr)
    if not rows:
        print("--fail-under: nothing was beside another", file=sys.stderr)
    return 1 if refused or late or below or not rows else 0


def compare(first: Results, second: Results, margin: float, fail_under: float | None) -> int:
    """Print both; with ``fail_under`` 1 when a row is surely below it."""
    for line in comparing.differences(first, second):
        say(f"differs: {line}")
    changes = comparing.compare(first, second)
    for line in comparing.lines(changes, margin):
        say(line)
    if not changes:
        print("the two have no row in common", file=sys.stderr)
        return 1
    below = [one for one in changes if fail_under and one.interval is not None and one.interval.high < fail_under]
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
