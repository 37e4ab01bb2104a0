"""``python -m bench quick|run SUITE...|data FOLDER``: figures of our server and of others."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

from bench import data, sink
from bench.bench import Bench
from bench.report import Report
from bench.suites import idle, index, move, questions, receiving, recovery, resources, scan, store, stow, web

SUITES = {
    "scan": scan.run,
    "idle": idle.run,
    "store": store.run,
    "stow": stow.run,
    "receiving": receiving.run,
    "move": move.run,
    "find": questions.run,
    "index": index.run,
    "resources": resources.run,
    "recovery": recovery.run,
    "web": web.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 1 when an answer was wrong or a server failed."""
    asked = _parser().parse_args(arguments)
    if asked.command == "data":
        shape = data.Shape(studies=asked.studies, seed=asked.seed, stub=asked.stub)
        print(f"{data.write(shape, asked.folder)} files")
        return 0
    if asked.command == "sink":
        trio.run(sink.run, asked.folder, asked.segments)
        return 0
    return measure(asked, list(SUITES) if asked.command == "quick" else asked.suites)


def measure(asked: argparse.Namespace, suites: Sequence[str]) -> int:
    """Run the suites; a suite that fails says so and the others go on. Always writes what there is."""
    asked.folder.mkdir(parents=True, exist_ok=True)
    report = Report(asked.folder)
    bench = Bench(asked.folder.resolve(), asked.scale, asked.rounds, report)
    failed = 0
    try:
        for name in suites:
            try:
                SUITES[name](bench)
            except (RuntimeError, OSError) as failure:
                failed += 1
                print(f"  {name}: {failure}", file=sys.stderr)
    finally:
        bench.clean()
    report.write(asked.out)
    print(f"\nwritten: {asked.out}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    quick = commands.add_parser("quick", help="every suite, a few minutes")
    run = commands.add_parser("run", help="some suites")
    run.add_argument("suites", nargs="+", choices=SUITES)
    for command in (quick, run):
        command.add_argument("--scale", type=float, default=1.0, help="multiplies what is sent")
        command.add_argument("--rounds", type=int, default=1, help="of A B B A: two pairs each")
        command.add_argument("--folder", type=Path, default=Path("bench-data"), help="data and servers' files")
        command.add_argument("--out", type=Path, default=Path("bench-out/results.json"))
    make = commands.add_parser("data", help="write generated studies below FOLDER")
    make.add_argument("folder", type=Path)
    make.add_argument("--stub", action="store_true", help="256 bytes of pixels an instance")
    make.add_argument("--studies", type=int, default=1)
    make.add_argument("--seed", type=int, default=1)
    drop = commands.add_parser("sink", help="our DICOM port with nothing behind it")
    drop.add_argument("--segments", type=int, default=0, help="keep in an intake of so many; 0: drop")
    drop.add_argument("--folder", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
