"""The server that is examined: where it is, what may be asked of it, and what was stored in it."""

import ssl
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from bench.data import EXPLICIT_LITTLE
from bench.lean import Target
from bench.statements.answers import value, values_of
from bench.statements.association import Association, Proposal, associated, store
from bench.statements.collection import Collection
from bench.statements.objects import Keywords, Made, instance, new_run, with_pixels, written
from bench.statements.pictures import RAMP
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


def is_title(text: str) -> bool:
    """Whether it can be an AE title (PS3.5 6.2)."""
    return 0 < len(text) <= 16 and text.isascii() and text.isprintable() and "\\" not in text


def target(text: str) -> Target | None:
    """``AET@HOST:PORT``; None for nothing. Raises ValueError."""
    if not text:
        return None
    title, _, place = text.rpartition("@")
    host, _, port = place.rpartition(":")
    if not (is_title(title) and host and port.isdigit() and 0 < int(port) < 65536):
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
        trusted = ssl.create_default_context(cafile=asked.certificates) if asked.certificates else True
        self._web = Web(asked.web, asked.token, trusted, transport) if asked.web else None
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
        """Raises Unmet unless all are kept."""
        for reason in (await self.sent(made)).values():
            raise Unmet(reason)

    async def sent(self, made: Sequence[Made]) -> dict[str, str]:
        """By the web, or where there is none by DIMSE; SOP Instance UID to reason of those that are refused."""
        self.studies |= {one.study for one in made}
        if self._web is None:
            return await store(self.target, made, self.asked.calling)
        answer = (await self._web.store([one.file for one in made])).expect(200, 202).json()
        failed = values_of(answer, "00081198")
        return {value(item, "00081155"): f"STOW-RS: FailureReason {value(item, '00081197')}" for item in failed}

    async def fill(self) -> None:
        """Stores the collection; what the server may refuse is then absent. Raises Unmet for the rest."""
        optional = {one.sop for one in self.made.optional()}
        refused = await self.sent(self.made.all())
        for sop, reason in refused.items():
            if sop not in optional:
                raise Unmet(reason)
        self.made.absent = refused

    def fresh(self, count: int = 1, syntax: str = EXPLICIT_LITTLE, **keywords: Any) -> list[Made]:
        """Images of one study that is not there yet, of another patient than the collection's."""
        number = self.new_study()
        facts: Keywords = {**self.other_patient(), **keywords}
        images = [with_pixels(instance(self.run, number, 1, at, **facts), RAMP) for at in range(1, count + 1)]
        made = [written(one, syntax) for one in images]
        self.studies |= {one.study for one in made}
        return made

    def associate(
        self, proposals: Sequence[Proposal], *, calling: str = "", called: str | None = None, **how: Any
    ) -> AbstractAsyncContextManager[Association]:
        """An association with its DICOM port. Untried when none was given."""
        return associated(self.target, proposals, calling or self.asked.calling, called=called, **how)

    @property
    def tls_target(self) -> Target:
        """Untried when no port with TLS was given."""
        if self.asked.dimse_tls is None:
            raise Untried(WOULD_ENABLE[Need.TLS])
        return self.asked.dimse_tls

    @property
    def target(self) -> Target:
        """Untried when no DICOM port was given."""
        if self.asked.dimse is None:
            raise Untried(WOULD_ENABLE[Need.DIMSE])
        return self.asked.dimse
