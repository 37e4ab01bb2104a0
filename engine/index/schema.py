"""The rows of the index: one for each study, series and instance, and how each is made from headers."""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from engine.index.attributes import (
    date_number,
    element,
    first_text,
    level_header,
    merged,
    name_terms,
    pieces,
    short_texts,
    texts_of,
    time_number,
)
from engine.keep import fold, state
from engine.model import Instance, Level

DATES: Final = ("00080020", "00080021", "00080022", "00080023", "00100030")
TIMES: Final = ("00080030", "00080031", "00080032", "00080033")
NUMBERS: Final = (*DATES, *TIMES)
_OWN_FIELDS: Final = frozenset(("00080018", "0020000D", "0020000E"))
SEEN_COUNT_MAX: Final = 8192  # most elements are equal in all instances of a series: read once; some 600 bytes each
_Read = tuple[tuple[str, ...], tuple[tuple[str, int], ...]]  # terms, numbers
_seen: dict[tuple[str, bytes], _Read] = {}
Rank = tuple[int, str, int]  # stamp, writer, lsn of the first store


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What is stored beside the header: answers moves, sorts and recounts without reading headers."""

    level: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    order: int = 0
    state: bytes = b""
    modality: str = ""
    sop_class_uid: str = ""


class Row:
    """One study, series or instance. Immutable; what is searchable of it is worked out when first asked."""

    __slots__ = ("_numbers", "_terms", "facts", "header", "key", "source")

    def __init__(self, facts: Facts, header: bytes, source: bytes = b"") -> None:
        """``source``: the header to search when it is not the one to answer (a study's first instance)."""
        self.facts = facts
        self.header = header
        self.source = source
        self.key = key_of(facts.study_uid, facts.series_uid, facts.sop_instance_uid)
        self._terms: frozenset[str] | None = None
        self._numbers: dict[str, int] = {}

    def values(self, field: str) -> Collection[str]:
        """The terms of a field, as predicates name it."""
        if field == "kv":
            return self.terms
        facts = self.facts
        return (
            {
                "level": facts.level,
                "study": facts.study_uid,
                "series": facts.series_uid,
                "sop": facts.sop_instance_uid,
                "key": self.key,
            }[field],
        )

    @property
    def terms(self) -> frozenset[str]:
        """Every ``PATH=value``."""
        if self._terms is None:
            self._terms = self._worked_out()
        return self._terms

    def number(self, field: str) -> int | None:
        """A date or time as a number, by path."""
        return self.numbers().get(field)

    def numbers(self) -> dict[str, int]:
        """All of them."""
        if self._terms is None:
            self._terms = self._worked_out()
        return self._numbers

    def instance(self) -> Instance | None:
        """The current version; None for rows of other levels."""
        facts = self.facts
        if facts.level != Level.INSTANCE:
            return None
        return fold.instance(state.decode(facts.state), facts.study_uid, facts.series_uid, facts.sop_instance_uid)

    def _worked_out(self) -> frozenset[str]:
        found: list[str] = []
        header = merged(self.header, self.source) if self.source else self.header
        for piece in pieces(header):
            known = _seen.get(piece)
            if known is None:
                known = _read(piece)
                if len(_seen) >= SEEN_COUNT_MAX:
                    _seen.clear()
                _seen[piece] = known
            terms, numbers = known
            found.extend(terms)
            for path, number in numbers:
                self._numbers.setdefault(path, number)
        return frozenset(found)


def _read(piece: tuple[str, bytes]) -> _Read:
    character_set, data = piece
    found: list[str] = []
    numbers: list[tuple[str, int]] = []
    for path, vr, text in texts_of(data, character_set):
        if path in _OWN_FIELDS:
            continue
        if vr == b"PN":
            found.extend(f"{path}={name}" for name in name_terms(text))
            continue
        found.append(f"{path}={text}")
        number = date_number(text) if path in DATES else time_number(text) if path in TIMES else None
        if number is not None:
            numbers.append((path, number))
    return tuple(found), tuple(numbers)


def key_of(study_uid: str, series_uid: str = "", sop_instance_uid: str = "") -> str:
    """The name of a row."""
    return f"{study_uid}/{series_uid}/{sop_instance_uid}"


def instance_row(
    study_uid: str, series_uid: str, sop_instance_uid: str, kept: state.InstanceState, header: bytes
) -> Row:
    """The row of an instance's current version."""
    current = kept.current
    modality, number = short_texts(header, (0x00080060, 0x00200013))
    return Row(
        Facts(
            Level.INSTANCE,
            study_uid,
            series_uid,
            sop_instance_uid,
            _whole(number),
            state.encode(kept),
            modality,
            current.object.sop_class_uid if current else "",
        ),
        header,
    )


def series_row(study_uid: str, series_uid: str, header: bytes, instance_count: int) -> Row:
    """The row of a series; ``header`` is that of its first instance."""
    computed = element(0x00201209, "IS", str(instance_count))
    own = merged(computed, level_header(header, Level.SERIES))
    order = _whole(first_text(header, 0x00200011))
    return Row(Facts(Level.SERIES, study_uid, series_uid, "", order), own, header)


def study_row(
    study_uid: str,
    header: bytes,
    modalities: Iterable[str],
    classes: Iterable[str],
    series_count: int,
    instance_count: int,
) -> Row:
    """The row of a study; ``header`` is that of its first instance."""
    computed = b"".join(
        (
            element(0x00080061, "CS", "\\".join(sorted(modalities))),
            element(0x00080062, "UI", "\\".join(sorted(classes))),
            element(0x00201206, "IS", str(series_count)),
            element(0x00201208, "IS", str(instance_count)),
        )
    )
    own = merged(computed, level_header(header, Level.STUDY))
    day = date_number(first_text(header, 0x00080020)) or 0
    clock = time_number(first_text(header, 0x00080030)) or 0
    return Row(Facts(Level.STUDY, study_uid, "", "", day * 10**6 + clock // 10**6), own, header)


def _whole(text: str) -> int:
    digits = text.strip().removeprefix("+")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else 0
