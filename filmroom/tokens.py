"""API tokens: ``node/tokens.json`` keeps a SHA-256 of each, never the token itself."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

import msgspec

from engine import Corrupt, Invalid, Missing
from engine.clock import Clock, Identifiers
from filmroom.small_files import replace_durably
from protocols.web import Holder, Scope

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
# So that people and scanners of leaked secrets see what it is.
PREFIX: Final = "filmroom_"
DAY_US: Final = 86_400_000_000
DAYS_MAX: Final = 36_500
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Token(msgspec.Struct, frozen=True):
    """What is kept of a token. ``expires_us`` 0: it does not expire."""

    name: str
    scopes: tuple[Scope, ...]
    digest: str
    created_us: int
    expires_us: int = 0


class TokenBook:
    """The tokens of an archive.

    A token is 256 random bits: it cannot be guessed, so its digest needs no salt, and the time that a look-up by digest
    takes says nothing about any token.
    """

    def __init__(self, file: Path | None, clock: Clock | None = None, identifiers: Identifiers | None = None) -> None:
        """``file`` None keeps them in memory only. Raises Corrupt when the file cannot be read."""
        self._file = file
        self._clock = clock or Clock()
        self._identifiers = identifiers or Identifiers()
        self._by_digest: dict[str, Token] = {}
        if file is not None and file.exists():
            try:
                kept = msgspec.json.decode(file.read_bytes(), type=list[Token])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise Corrupt(f"{file} is damaged ({error}): mend it or move it away") from error
            self._by_digest = {token.digest: token for token in kept}

    def new(self, name: str, scopes: Sequence[str], days: int = 0) -> str:
        """Make a token, durable when this returns; its text, which is nowhere else. Raises Invalid."""
        if not _NAME.fullmatch(name):
            raise Invalid(f"{name[:64]!r} is no name of a token: letters, digits, . _ @ - are, up to 64")
        if any(token.name == name for token in self.all()):
            raise Invalid(f"there is a token {name!r} already: `filmroom token rm {name}` ends it")
        if not 0 <= days <= DAYS_MAX:
            raise Invalid(f"--days takes 0 (does not expire) to {DAYS_MAX}")
        checked = tuple(scope for scope in SCOPES if scope in scopes)
        if not checked or not set(scopes) <= set(SCOPES):
            raise Invalid(f"--scope takes some of {', '.join(SCOPES)}, with commas between them")
        text, now_us = PREFIX + self._identifiers.secret(), self._clock.now_us()
        expires_us = now_us + days * DAY_US if days else 0
        token = Token(name, checked, _digest(text), now_us, expires_us)
        self._keep({**self._by_digest, token.digest: token})
        return text

    def all(self) -> list[Token]:
        """Every token, by name; those that have expired too."""
        return sorted(self._by_digest.values(), key=lambda token: token.name)

    def is_expired(self, token: Token) -> bool:
        """Whether its days are over."""
        return 0 < token.expires_us <= self._clock.now_us()

    def remove(self, name: str) -> None:
        """End a token at once. Raises Missing."""
        rest = {digest: token for digest, token in self._by_digest.items() if token.name != name}
        if len(rest) == len(self._by_digest):
            raise Missing(f"no token is called {name[:64]!r}: `filmroom token ls` lists them")
        self._keep(rest)

    def holder_of(self, text: str) -> Holder | None:
        """Whom this token was made for; None: there is no such token, or it has expired."""
        token = self._by_digest.get(_digest(text))
        if token is None or self.is_expired(token):
            return None
        return Holder(token.name, frozenset(token.scopes))

    def _keep(self, by_digest: dict[str, Token]) -> None:
        if self._file is not None:
            replace_durably(self._file, msgspec.json.format(msgspec.json.encode(list(by_digest.values()))))
        self._by_digest = by_digest


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
