"""filmroom conformance."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import trio
from cyclopts import Parameter

from engine import Invalid
from filmroom.commands.screen import agreed, progress, say, say_json, table
from filmroom.exits import Exit, Unreachable

if TYPE_CHECKING:
    from bench.statements.statement import Outcome, Statement
    from bench.statements.subject import Asked, Subject

_COLUMNS = {"rows": "rows", "needs": "needs", "title": "statement"}
_EXAMPLE = "filmroom conformance --against http://localhost:8080/dicomweb --dimse FILMROOM@localhost:11112"


@Parameter(name="*")
@dataclass(frozen=True)
class Whom:
    """Which server, and what it lets us ask."""

    against: Annotated[str, Parameter(help="Root of its DICOMweb services: http://host:8080/dicomweb.")] = ""
    dimse: Annotated[str, Parameter(help="Its DICOM port: AET@HOST:PORT. What is given is asked, the rest not.")] = ""
    dimse_tls: Annotated[str, Parameter(help="Its DICOM port with TLS: AET@HOST:PORT.")] = ""
    move_to: Annotated[
        str, Parameter(help="AET:PORT: a destination of C-MOVE that it knows, on this machine; we listen there.")
    ] = ""
    wado_uri: Annotated[str, Parameter(help="Where WADO-URI is, when it is not /wado of the same origin.")] = ""
    origin: Annotated[str, Parameter(help="Origin of a web page that its settings allow (CORS).")] = ""
    ca: Annotated[str, Parameter(help="A file of certificates to trust, for https and TLS.")] = ""
    token_file: Annotated[
        Path | None, Parameter(help="A file with a bearer token; FILMROOM_TOKEN is the same. Never an argument.")
    ] = None
    calling: Annotated[str, Parameter(help="Our AE title.")] = "CONFORMANCE"
    read_only: Annotated[bool, Parameter(help="Only what needs no object of ours there.")] = False
    large: Annotated[bool, Parameter(help="10,000 instances in one request, too.")] = False

    def asked(self) -> "Asked":
        """Raises Invalid."""
        from bench.statements.subject import Asked, is_title, target

        title, _, port = self.move_to.rpartition(":")
        if self.move_to and not (is_title(title) and port.isdigit()):
            raise Invalid(f"{self.move_to!r} is not AET:PORT")
        if not is_title(self.calling):
            raise Invalid(f"{self.calling!r} is no AE title")
        try:
            return Asked(
                web=self.against,
                dimse=target(self.dimse),
                dimse_tls=target(self.dimse_tls),
                move_to=title,
                move_port=int(port or 0),
                wado_uri=self.wado_uri,
                token=_token(self.token_file),
                origin=self.origin,
                certificates=self.ca,
                calling=self.calling,
                is_writing=not self.read_only,
                is_large=self.large,
            )
        except ValueError as error:
            raise Invalid(str(error)) from None


NOBODY = Whom()


async def conformance(
    *,
    whom: Whom = NOBODY,
    only: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    json: bool = False,
    list_: Annotated[bool, Parameter(name="--list")] = False,
    yes: bool = False,
    keep: bool = False,
) -> int:
    """Ask a server, ours or another, the statements of docs/conformance.md, and say which hold.

    It writes: small studies of patients named ...^Synthetic, which it deletes at the end where the server lets it.
    Exit code 1 when a statement fails, 3 when the server cannot be reached, 4 when it wants another token.

    Parameters
    ----------
    only
        Rows, as in C23,O7; may be repeated.
    json
        One JSON document: summary, rows, statements with reasons, what is left there.
    list_
        Say what would be asked, and what each statement needs.
    yes
        Do not ask before writing to a server on another machine.
    keep
        Leave there what was stored.
    """
    from bench.statements import report

    if list_:
        table(_COLUMNS, [dict(zip(_COLUMNS, one, strict=True)) for one in report.listed()])
        return Exit.OK
    statements, asked = _chosen(only), whom.asked()
    if not whom.against and not whom.dimse:
        raise Invalid(f"which server? {_EXAMPLE}")
    if asked.is_writing and not asked.is_here and not yes and not agreed(f"Write synthetic studies to {asked.name}?"):
        return Exit.NO
    subject = _subject(asked)
    begun = trio.current_time()
    outcomes = await _examined(subject, statements, keep, is_quiet=json)
    found = report.report(whom.against, whom.dimse, outcomes, subject.studies, trio.current_time() - begun)
    if json:
        say_json(found)
    else:
        print(report.last_line(found))
    if found.left:
        say(f"left there: {len(found.left)} studies of patients whose ID holds {subject.run.mark}")
    return Exit.NO if found.summary.failed else Exit.OK


async def _examined(
    subject: "Subject", statements: "list[Statement]", keep: bool, *, is_quiet: bool
) -> "list[Outcome]":
    from bench.statements import report, run

    try:
        await run.reach(subject)
    except run.Unreached as error:
        raise Unreachable(str(error)) from None
    with progress() as show:

        def hear(outcome: "Outcome") -> None:
            show(f"{', '.join(outcome.rows)} {outcome.title}")
            if not is_quiet:
                print(report.line(outcome), flush=True)

        return await run.examine(subject, statements, hear, keep)


def _subject(asked: "Asked") -> "Subject":
    from bench.statements.subject import Subject

    try:
        return Subject(asked)
    except ValueError as error:
        raise Invalid(str(error)) from None


def _chosen(only: Iterable[str]) -> "list[Statement]":
    from bench.statements import registry

    try:
        return registry.chosen(row for text in only for row in text.split(",") if row.strip())
    except ValueError as error:
        raise Invalid(str(error)) from None


def _token(path: Path | None) -> str:
    if path is None:
        return os.environ.get("FILMROOM_TOKEN", "").strip()
    return path.read_text("utf-8").strip()
