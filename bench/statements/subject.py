"""The server that is examined: where it is, what may be asked of it, and what was stored in it."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from bench.lean import Target
from bench.statements.answers import Row, value, values_of
from bench.statements.association import store
from bench.statements.collection import Collection
from bench.statements.objects import Keywords, Made, new_run
from bench.statements.statement import Need, Unmet, Untried
from bench.statements.web import Web


class Asked(Struct, frozen=True, kw_only=True):
    """What the caller said. ``origin``: of a page that the server allows. ``certificates``: a file of authorities."""

    web: str = ""
    dimse: Target | None = None
    dimse_tls: Target | None = None
    move_to: str = ""
    move_port: int = 0
    wado_uri: str = ""
    token: str = ""
    origin: str = ""
    certificates: str = ""
    calling: str = "CONFORMANCE"
    is_writing: bool = True
    is_large: bool = False

    @property
    def is_here(self) -> bool:
        """Whether all of it is on this machine."""
        hosts = [one.host for one in (self.dimse, self.dimse_tls) if one is not None]
        hosts += [urlsplit(self.web).hostname or ""] if self.web else []
        return all(host == "localhost" or host == "::1" or host.startswith("127.") for host in hosts)

    @property
    def name(self) -> str:
        """For people."""
        shown = [f"{one.ae_title}@{one.host}:{one.port}" for one in (self.dimse, self.dimse_tls) if one is not None]
        return " and ".join([*([self.web] if self.web else []), *shown])


def target(text: str) -> Target | None:
    """``AET@HOST:PORT``; None for nothing. Raises ValueError."""
    if not text:
        return None
    title, _, place = text.rpartition("@")
    host, _, port = place.rpartition(":")
    if not (0 < len(title) <= 16 and host and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} is not AET@HOST:PORT")
    return Target(int(port), title, host.strip("[]"))


WOULD_ENABLE = {
    Need.WEB: "it needs --against URL",
    Need.DIMSE: "it needs --dimse AET@HOST:PORT",
    Need.WRITE: "it writes, and --read-only was said",
    Need.DATA: "it needs objects, and --read-only was said",
    Need.MOVE: "it needs --move-to AET:PORT, which the server knows as a destination on this machine",
    Need.ORIGIN: "it needs --origin URL, which the server's settings allow",
    Need.TOKEN: "it needs a token: FILMROOM_TOKEN or --token-file",
    Need.TLS: "it needs --dimse-tls AET@HOST:PORT",
    Need.LARGE: "it needs --large: 10,000 instances in one request",
}


class Subject:
    """One run against one server."""

    def __init__(self, asked: Asked, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.asked = asked
        self.run = new_run()
        self.made = Collection(self.run)
        self.studies: set[str] = set()  # whatever may be kept there because of us
        if asked.web and urlsplit(asked.web).scheme not in ("http", "https"):
            raise ValueError(f"{asked.web!r} is no http:// or https:// URL")
        self._web = Web(asked.web, asked.token, asked.certificates or True, transport) if asked.web else None
        self._next_study = 100
        self.lost = ""  # why the collection is not there

    @property
    def web(self) -> Web:
        """Untried when no URL was given."""
        if self._web is None:
            raise Untried(WOULD_ENABLE[Need.WEB])
        return self._web

    @property
    def has_web(self) -> bool:
        return self._web is not None

    def missing(self, needs: frozenset[Need]) -> str:
        """Why something of these cannot be asked here; empty when it can."""
        asked = self.asked
        given = {
            Need.WEB: self.has_web,
            Need.DIMSE: asked.dimse is not None,
            Need.WRITE: asked.is_writing,
            Need.DATA: asked.is_writing,
            Need.MOVE: bool(asked.move_to),
            Need.ORIGIN: bool(asked.origin),
            Need.TOKEN: bool(asked.token),
            Need.TLS: asked.dimse_tls is not None,
            Need.LARGE: asked.is_large,
        }
        for need in Need:
            if need in needs and not given[need]:
                return WOULD_ENABLE[need]
        return self.lost if Need.DATA in needs else ""

    def new_study(self) -> int:
        """A number that no study of this run has yet."""
        self._next_study += 1
        return self._next_study

    def other_patient(self) -> Keywords:
        """Whom no search for the collection's patients finds."""
        return {"PatientName": "Other^Synthetic", "PatientID": f"OTHER-{self.run.mark}"}

    def of(self, query: str) -> str:
        """A search for this run's patients alone."""
        return f"/studies?PatientID=CONF-{self.run.mark}-*{'&' * bool(query)}{query}"

    async def store(self, made: Sequence[Made]) -> None:
        """By the web, or where there is none by DIMSE; raises Unmet unless all are kept without a warning."""
        self.studies |= {one.study for one in made}
        if self._web is not None:
            answer = await self._web.store([one.file for one in made])
            _check_stored(answer.expect(200, 202).json())
        else:
            await store(self.target, made, self.asked.calling)

    @property
    def target(self) -> Target:
        """Untried when no DICOM port was given."""
        if self.asked.dimse is None:
            raise Untried(WOULD_ENABLE[Need.DIMSE])
        return self.asked.dimse


def _check_stored(answer: Row) -> None:
    failed = values_of(answer, "00081198")
    if failed:
        raise Unmet(f"STOW-RS kept {len(failed)} of them not, the first with reason {value(failed[0], '00081197')}")
