"""The words of the command line: ``filmroom bench ...`` and ``python -m bench ...`` read the same."""

import argparse
from pathlib import Path

from bench import targets, traffic_record
from bench.comparing import MARGIN
from bench.moving import MOVERS
from bench.report import OURS
from bench.results import LOAD_SECONDS_MAX, Settings
from bench.running import QUICK_SCALES, SUITES
from bench.stages import PAPER


def completed(words: list[str]) -> list[str]:
    """A suite's name alone means ``run`` it; nothing, or options alone, means ``quick``."""
    if not words:
        return ["quick"]
    if words[0] in SUITES:
        return ["run", *words]
    if words[0].startswith("-") and words[0] not in ("-h", "--help"):
        return ["quick", *words]
    return words


def parser(program: str) -> argparse.ArgumentParser:
    """Of everything."""
    whole = argparse.ArgumentParser(
        prog=program, description="The paper's measurements and ours, for any DIMSE and DICOMweb server."
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    quick = commands.add_parser("quick", help="every suite of the paper, small, in about two minutes")
    paper = commands.add_parser("paper", help="every suite of the paper, whole (or --scale of it)")
    run = commands.add_parser("run", help="some suites", description=f"Suites: {', '.join(SUITES)}.")
    run.add_argument("suites", nargs="+", choices=SUITES, metavar="SUITE")
    for command in (quick, paper, run):
        _add_measuring(command)
    again = commands.add_parser("again", help="the same run as one whose results are given")
    again.add_argument("results", type=Path)
    for command in (quick, paper, run, again):
        _add_places(command)
    compare = commands.add_parser("compare", help="two runs: rows with intervals, a verdict only where they part")
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    compare.add_argument("--margin", type=float, default=MARGIN, help="what counts as the same (default %(default)s)")
    compare.add_argument("--fail-under", type=float, help="exit 1 when a row is surely worse than this many times")
    report = commands.add_parser("report", help="CSV, figures and HTML of results that are there")
    report.add_argument("results", type=Path)
    commands.add_parser("schema", help="JSON schema of results.json")
    _add_tools(commands)
    return whole


def _add_measuring(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--scale", action="append", default=[], metavar="N|SUITE=N", help="of all, or of one suite; may be repeated")
    add("--rounds", type=int, default=1, help="pairs are taken in alternating order (default %(default)s)")
    add("--seed", type=int, default=1, help="of all data (default %(default)s)")
    add("--servers", metavar="A,B", help=f"servers that are started: {', '.join(targets.SERVERS)}")
    add("--target", action="append", default=[], metavar="NAME=AET@HOST:PORT,URL", help="a server that runs already")
    add("--against", metavar="URL", help="DICOMweb root of a server that runs already")
    add("--dimse", metavar="AET@HOST:PORT", help="its DICOM port")
    add("--mover", choices=MOVERS, default="lean", help="client of C-MOVE: ours, or DCMTK's movescu as in the paper")
    add("--traffic", default="", metavar="CSV", help="a record of traffic in place of the model (docs/benchmarks.md)")
    add(
        "--columns",
        default="",
        metavar="NAME=HEADING,...",
        help="what its columns are called (docs/benchmarks.md)",
    )
    add("--sink-port", type=int, default=0, help="first of 16 ports where C-MOVE sends to (WS1...; default free ones)")
    add("--replay-seconds", type=float, default=0.0, help="time of the seven days (default by their size)")
    add("--load-seconds", type=float, default=LOAD_SECONDS_MAX, help="a target that loads longer is left out")
    add("--pause-seconds", type=float, default=0.0, help="between the passes of random-access (default 120 x scale)")


def _add_places(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--folder", type=Path, default=Path("bench-data"), help="data and servers' files (default %(default)s)")
    add("--output", type=Path, default=Path("bench-out"), help="results.json, CSV, figures, report.html")
    add("--out", type=Path, help="the results' own path, when it is another")
    add("--fail-under", type=float, help="exit 1 when a row is less than this many times the best of the others")


def _add_tools(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    make = commands.add_parser("data", help="write generated studies below FOLDER")
    make.add_argument("folder", type=Path)
    make.add_argument("--stub", action="store_true", help="256 bytes of pixels an instance")
    make.add_argument("--studies", type=int, default=1)
    make.add_argument("--seed", type=int, default=1)
    drop = commands.add_parser("sink", help="our DICOM port with nothing behind it")
    drop.add_argument("--segments", type=int, default=0, help="keep in an intake of so many; 0: drop")
    drop.add_argument("--folder", type=Path, required=True)
    catch = commands.add_parser("catch", help="destinations for C-MOVE that hash what comes")
    catch.add_argument("ports", type=int, nargs="+")
    catch.add_argument("--only", default="", metavar="UID", help="take this transfer syntax alone")


def settings_of(asked: argparse.Namespace) -> Settings:
    """What the words of ``quick``, ``paper`` and ``run`` ask for. Raises ValueError."""
    suites = list(asked.suites) if asked.command == "run" else list(PAPER)
    scale, scales = 1.0, {} if asked.command == "paper" else dict(QUICK_SCALES)
    for word in asked.scale:
        name, _, number = word.rpartition("=")
        if name and name not in SUITES:
            raise ValueError(f"--scale {word}: no suite {name}")
        if name:
            scales[name] = float(number)
        else:
            scale, scales = float(number), {}
    given = [*asked.target, *_against(asked)]
    servers = targets.usual() if asked.servers is None else [name for name in asked.servers.split(",") if name]
    if given and asked.servers is None:
        servers = [OURS]
    targets.starts(servers, given)  # says now what is wrong with them
    return Settings(
        suites=suites,
        scale=scale,
        scales=scales,
        rounds=asked.rounds,
        seed=asked.seed,
        servers=servers,
        targets=given,
        mover=asked.mover,
        traffic=asked.traffic,
        columns=traffic_record.columns_of(asked.columns),
        sink_port=asked.sink_port,
        replay_seconds=asked.replay_seconds,
        pause_seconds=asked.pause_seconds,
        load_seconds=asked.load_seconds,
    )


def _against(asked: argparse.Namespace) -> list[str]:
    if bool(asked.against) and not asked.dimse:
        raise ValueError("--against needs --dimse AET@HOST:PORT: data is stored, found and moved by DIMSE")
    if not asked.dimse:
        return []
    return [f"target={asked.dimse}" + (f",{asked.against}" if asked.against else "")]
