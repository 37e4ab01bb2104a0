"""What servers answer, side by side: ``python -m bench.statements.peers`` starts those that are installed, asks each
every statement, and writes docs/conformance-peers.md and a JSON file of each."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import trio

from bench import peers
from bench.dcmtk import tool
from bench.peers import ROOT, Server
from bench.process import free_port
from bench.statements import registry, run
from bench.statements.report import Report, report
from bench.statements.statement import Outcome, Status
from bench.statements.subject import Asked, Subject
from bench.targets import SERVERS

MOVE_TO, CALLING = "CONFMOVE", "CONFORMANCE"
ORIGIN = "https://viewer.example"
MARKS = {Status.PASS: "pass", Status.FAIL: "**fail**", Status.NOT_TRIED: "-"}
HEAD = """# Conformance: what servers answer

Made by `python -m bench.statements.peers` (do not edit). It starts each server that is installed on this machine,
knowing our AE titles, asks it the statements of [conformance.md](conformance.md) from outside, as
`filmroom conformance` does, and writes this page and one JSON file a server. A row fails when any of its statements
does; it passes when one holds and none fails; `-` is not tried, with the reason below. What is asked of a row
(`filmroom conformance --list`) is less than the project's own tests ask: what cannot be seen from outside, such as
durability, is not. A statement judges the answer, never the server's name; some rows are wishes of clients that no
standard demands (C12, C32, O06, say). UIDs are shown without this run's root.
"""
# What our own server is started with beside its defaults, so that more of it can be asked.
OURS: Mapping[str, str] = {
    "FILMROOM_SERVE_CORS_ORIGINS": ORIGIN,
    "FILMROOM_SERVE_TOKENS": "required",
    "FILMROOM_SERVE_CHECK_CALLED_AE_TITLE": "true",
    "FILMROOM_SERVE_COMMITMENT_WAIT_SECONDS": "1",
}


def main() -> None:
    """Ask all that are installed."""
    words = argparse.ArgumentParser(prog="python -m bench.statements.peers", description=__doc__)
    words.add_argument("--output", type=Path, default=ROOT / "docs" / "conformance-peers.md")
    words.add_argument("--json", type=Path, default=Path("conformance-out"), help="folder of the JSON files")
    asked = words.parse_args()
    asked.json.mkdir(parents=True, exist_ok=True)
    found: dict[str, Report] = {}
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        for name, start in _STARTS.items():
            if SERVERS[name].is_installed():
                title, found[title] = _examined(name, start, Path(folder) / name)
                (asked.json / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(found[title])))
                print(f"{title}: {found[title].summary}", flush=True)
    asked.output.write_text(page(found), "utf-8")


Start = Callable[[Path, Mapping[str, int]], AbstractContextManager[Server]]


@contextmanager
def _filmroom(folder: Path, destinations: Mapping[str, int]) -> Iterator[Server]:
    with peers.filmroom(folder, destinations, variables=OURS) as server:
        yield server


@contextmanager
def _orthanc(folder: Path, destinations: Mapping[str, int]) -> Iterator[Server]:
    with peers.orthanc(folder, destinations, web=peers.ORTHANC_WEB.exists()) as server:
        yield server


_STARTS: dict[str, Start] = {
    "filmroom": _filmroom,
    "orthanc": _orthanc,
    "dcmqrscp": peers.dcmqrscp,
    "pynetdicom": peers.pynetdicom,
}


def _examined(name: str, start: Start, folder: Path) -> tuple[str, Report]:
    """Its name with its version, and what it answered."""
    port = free_port()
    with start(folder, {MOVE_TO: port, CALLING: free_port()}) as server:
        is_ours = name == "filmroom"
        asked = Asked(
            web=server.web.url if server.web else "",
            dimse=server.target,
            move_to=MOVE_TO,
            move_port=port,
            token=_token(folder / "store") if is_ours else "",
            origin=ORIGIN if is_ours else "",
            calling=CALLING,
        )
        subject = Subject(asked)
        begun = time.monotonic()
        outcomes = trio.run(run.examine, subject, registry.STATEMENTS, lambda outcome: None)
        plain = [_without_mark(outcome, subject.run.mark) for outcome in outcomes]
        return _titled(name, server), report("", "", plain, [], time.monotonic() - begun)


def _without_mark(outcome: Outcome, mark: str) -> Outcome:
    """Its reason as it would be in any run."""
    reason = re.sub(mark, "RUN", outcome.reason, flags=re.IGNORECASE)
    return msgspec.structs.replace(outcome, reason=re.sub(r"127\.0\.0\.1:\d+", "HOST:PORT", reason))


def _token(store: Path) -> str:
    words = [sys.executable, "-m", "filmroom", "token", "new", "examiner", "--scope", "read,write,delete"]
    made = subprocess.run([*words, "--store", str(store)], cwd=ROOT, capture_output=True, text=True, check=True)
    return made.stdout.strip().splitlines()[-1]


def _titled(name: str, server: Server) -> str:
    match name:
        case "orthanc" if server.web:
            base = server.web.url.removesuffix(server.web.root)
            with urllib.request.urlopen(f"{base}/system", timeout=10) as answer:
                own = json.load(answer)["Version"]
            with urllib.request.urlopen(f"{base}/plugins/dicom-web", timeout=10) as answer:
                return f"Orthanc {own}, DICOMweb {json.load(answer)['Version']}"
        case "dcmqrscp":
            said = subprocess.run([tool("dcmqrscp"), "--version"], capture_output=True, text=True, check=False)
            number = re.search(r"v(\d+\.\d+\.\d+)", said.stdout)
            return f"dcmqrscp {number[1] if number else ''}"
        case "pynetdicom":
            return f"pynetdicom {version('pynetdicom')} qrscp"
        case "filmroom":
            try:
                return f"Filmroom {version('filmroom')}"
            except PackageNotFoundError:
                return "Filmroom"
    return name


def page(found: Mapping[str, Report]) -> str:
    """The table by row, and below it each reason by server."""
    titles = list(found)
    lines = [HEAD, f"| row | statement | {' | '.join(titles)} |", "|---" * (2 + len(titles)) + "|"]
    for row, words in _rows().items():
        cells = [MARKS[one.rows[row]] if row in one.rows else "-" for one in found.values()]
        lines.append(f"| {row} | {words} | {' | '.join(cells)} |")
    counts = [f"{one.summary.passed} / {one.summary.failed} / {one.summary.not_tried}" for one in found.values()]
    lines.append(f"| | pass / fail / not tried | {' | '.join(counts)} |")
    for title, one in found.items():
        lines += ["", f"## {title}", ""]
        lines += [_reason(outcome) for outcome in one.statements if outcome.status is Status.FAIL] or [
            "Nothing failed."
        ]
        lines += ["", "Not tried:", ""]
        lines += _untried(one)
    lines += ["", "## Not to be asked from outside", ""]
    lines += [f"- {row}: {reason}" for row, reason in registry.UNTESTABLE.items()]
    return "\n".join(lines) + "\n"


def _reason(outcome: Outcome) -> str:
    return f"- {', '.join(outcome.rows)}: {outcome.title}: `{outcome.reason.replace('`', '')}`"


def _untried(one: Report) -> list[str]:
    """Rows by their reason."""
    reasons: dict[str, list[str]] = {}
    for outcome in one.statements:
        if outcome.status is Status.NOT_TRIED:
            reasons.setdefault(outcome.reason, []).extend(outcome.rows)
    return [f"- {', '.join(dict.fromkeys(rows))}: {reason}" for reason, rows in reasons.items()] or ["Nothing."]


def _rows() -> dict[str, str]:
    """Row to statement, as the table of the project has them."""
    text = (ROOT / "docs" / "conformance.md").read_text("utf-8")
    return dict(re.findall(r"^\| ([COB]\d{2}) \| (.+?) \|", text, re.MULTILINE))


if __name__ == "__main__":
    main()
