"""The rows of the index: one for each study, series and instance, and how each is made from headers."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, TypeVar

import msgspec

from engine.index.attributes import element, level_header, short_text
from engine.index.moments import Kind, date_number, time_number
from engine.index.texts import Part, character_set_of, part_of, text_of, texts_at, texts_in
from engine.keep import fold, state
from engine.model import Instance, Level, Sums
from native import dataset

DATES: Final = ("00080020", "00080021", "00080022", "00080023", "00100030")
TIMES: Final = ("00080030", "00080031", "00080032", "00080033")
# Attributes that have a numeric field each.
KINDS: Final[dict[str, Kind]] = {path: "DA" if path in DATES else "TM" for path in (*DATES, *TIMES)}
COLUMNS: Final = frozenset(("level", "key", "study", "series", "sop"))  # what a row knows beside its attributes
NUMERIC_COLUMNS: Final = frozenset(("order", "went"))
OWN_TAGS: Final = frozenset((0x00080018, 0x0020000D, 0x0020000E))  # these are columns, never terms
_OWN_FIELDS: Final = frozenset(f"{tag:08X}" for tag in OWN_TAGS)
GONE: Final = "gone"  # level of an instance that was deleted: kept to be restored
VERSION: Final = "version"  # level of what stands beside instances (``side_rows``)
ABSENT: Final = "absent"  # level of a fresh row that says: what is settled under this key is no more


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
    went: int = 0  # second since 1970-01-01 UTC in which the first of its stores was deleted that still is; 0: none
    sums: Sums = Sums()


REMEMBERED_COUNT_MAX: Final = 8  # attributes of a study or series whose values are held once they were asked for
T = TypeVar("T")
Searched = Iterator[tuple[str, tuple[str, ...], Kind | None]]
Load = Callable[[], tuple[bytes, bytes]]


class Row:
    """One study, series or instance. Immutable. Nothing of its attributes is held beside the stored bytes: what a
    question asks of them is read from these, so that a fresh row costs little more than its header."""

    __slots__ = ("_asked", "_header", "_instance", "_load", "_source", "facts", "key")

    def __init__(self, facts: Facts, header: bytes | None, source: bytes = b"", load: Load | None = None) -> None:
        """``source``: the header to search beside the one to answer (a study's first instance). ``load`` gives both
        when they are not at hand (None)."""
        self.facts = facts
        self.key = key_of(facts.study_uid, facts.series_uid, facts.sop_instance_uid)
        self._header = header
        self._source = source
        self._load = load
        self._asked: dict[str, tuple[str, ...]] | None = None
        self._instance: Instance | None = None

    @property
    def header(self) -> bytes:
        """Explicit VR Little Endian, what the level answers."""
        if self._header is not None:
            return self._header
        return self._load()[0] if self._load else b""

    @property
    def source(self) -> bytes:
        """The rest of what is searchable."""
        if self._header is not None:
            return self._source
        return self._load()[1] if self._load else b""

    @property
    def held_bytes(self) -> int:
        """About what the row takes of the memory."""
        return 1200 + len(self._header or b"") + len(self._source) + len(self.facts.state)

    def values(self, field: str) -> Collection[str]:
        """The values of a column, or of an attribute by its path, as they are compared."""
        if field not in COLUMNS:
            return self._read(field) if self.facts.level in (Level.INSTANCE, GONE) else self._remembered(field)
        facts = self.facts
        if field == "study":
            return (facts.study_uid,)
        if field == "series":
            return (facts.series_uid,)
        if field == "sop":
            return (facts.sop_instance_uid,)
        return (self.key,) if field == "key" else (facts.level,)

    def _read(self, path: str) -> tuple[str, ...]:
        return texts_at(self.header, path) or (texts_at(self.source, path) if self.source else ())

    def _remembered(self, path: str) -> tuple[str, ...]:
        """Studies and series are few, and are asked the same again and again while they are fresh."""
        if self._asked is None or len(self._asked) >= REMEMBERED_COUNT_MAX:
            self._asked = {}
        known = self._asked.get(path)
        if known is None:
            known = self._asked[path] = self._read(path)
        return known

    def own_numbers(self, field: str) -> tuple[int, ...]:
        """A number of the row itself."""
        return (self.facts.order,) if field == "order" else (self.facts.went,) if self.facts.went else ()

    def numbers(self, field: str, kind: Kind, zone: int | None) -> list[int]:
        """The sound dates or times of an attribute."""
        return self._first(lambda part: part.numbers(field, kind, zone))

    def moments(self, date: str, time: str, zone: int | None) -> list[int]:
        """A date joined with its time."""
        return self._first(lambda part: part.moments(date, time, zone))

    def items(self, step: str) -> list[Part]:
        """The items of a sequence."""
        return self._first(lambda part: part.items(step))

    def _first(self, read: Callable[[Part], list[T]]) -> list[T]:
        found = read(part_of(self.header))
        return found or (read(part_of(self.source)) if self.source else found)

    def texts(self) -> Searched:
        """Everything that is searchable."""
        header = dataset.merge((self.header, self.source)) if self.source else self.header
        return searchable(header, character_set_of(header))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and self.facts == other.facts and self.header == other.header

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Row({self.key})"

    @property
    def lives(self) -> bool:
        """Whether it is an instance that was not deleted."""
        return self.facts.level == Level.INSTANCE

    @property
    def state(self) -> state.InstanceState:
        """What the records of an instance amount to."""
        return state.decode(self.facts.state)

    def instance(self) -> Instance | None:
        """The current version; None for rows of other levels. Held once it was asked for: who lists a series soon has
        it sent."""
        facts = self.facts
        if self._instance is None and facts.level == Level.INSTANCE:
            self._instance = fold.instance(self.state, facts.study_uid, facts.series_uid, facts.sop_instance_uid)
        return self._instance


def searchable(header: bytes, character_set: str) -> Searched:
    """Path, values and kind of what a header (or a part of it) adds to its row's columns."""
    return (found for found in texts_in(header, character_set) if found[0] not in _OWN_FIELDS)


def key_of(study_uid: str, series_uid: str = "", sop_instance_uid: str = "") -> str:
    """The name of a row."""
    return f"{study_uid}/{series_uid}/{sop_instance_uid}"


def level_of(key: str) -> str:
    """The level of the row with this name, living or gone, or of the version whose header it keeps."""
    _, series_uid, rest = key.split("/", 2)
    return VERSION if "#" in rest else Level.INSTANCE if rest else Level.SERIES if series_uid else Level.STUDY


def shown_digest(kept: state.InstanceState) -> bytes:
    """Whose header the row of an instance has: of the current version; when none lives, of the first one."""
    version = kept.current or next(iter(kept.versions), None)
    return version.content_digest if version else b""


def instance_row(
    study_uid: str, series_uid: str, sop_instance_uid: str, kept: state.InstanceState, header: bytes
) -> Row:
    """The row of an instance: living with its current version, or gone."""
    current = kept.current
    went_us = min((act.stamp for act in kept.deleted.values()), default=0) if kept.acts else 0
    return Row(
        Facts(
            Level.INSTANCE if current else GONE,
            study_uid,
            series_uid,
            sop_instance_uid,
            _whole(short_text(header, 0x00200013)),
            state.encode(kept),
            short_text(header, 0x00080060),
            current.object.sop_class_uid if current else "",
            went_us // 10**6,
            _sums(kept),
        ),
        header,
    )


def _sums(kept: state.InstanceState) -> Sums:
    """Of one instance; whether it lives elsewhere too is not known here."""
    if not kept.acts and len(kept.versions) == 1 and len(kept.versions[0].stores) == 1:  # nearly all are like this
        version = kept.versions[0]
        return Sums(version.object.size_bytes, 0, 0, version.first.stamp)
    stores = (store.stamp for version in kept.versions for store in version.stores)
    changed_us = max((*stores, *(act.stamp for act in kept.acts)), default=0)
    size_bytes = kept.current.object.size_bytes if kept.current else 0
    return Sums(size_bytes, int(len(kept.living) > 1), 0, changed_us)


def marked(places: Collection[Row]) -> Iterator[Row]:
    """Of all instances of one SOP Instance UID, those that must now say, or say no more, that they are several."""
    is_shared = sum(row.lives for row in places) > 1
    for row in places:
        if row.lives and is_shared != (row.facts.sums.elsewhere_count > 0):
            sums = msgspec.structs.replace(row.facts.sums, elsewhere_count=int(is_shared))
            yield Row(msgspec.structs.replace(row.facts, sums=sums), row.header)


def absent_row(study_uid: str, series_uid: str = "") -> Row:
    """Hides the settled row of a study or series whose last instance went."""
    return Row(Facts(ABSENT, study_uid, series_uid, ""), b"")


def series_row(study_uid: str, series_uid: str, header: bytes, instance_count: int, sums: Sums) -> Row:
    """The row of a series; ``header`` is that of its first instance."""
    computed = element(0x00201209, "IS", str(instance_count))
    own = dataset.merge((computed, level_header(header, Level.SERIES)))
    order = _whole(short_text(header, 0x00200011))
    return Row(Facts(Level.SERIES, study_uid, series_uid, "", order, sums=sums), own, header)


def study_row(
    study_uid: str,
    header: bytes,
    modalities: Iterable[str],
    classes: Iterable[str],
    series_count: int,
    instance_count: int,
    sums: Sums,
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
    own = dataset.merge((computed, level_header(header, Level.STUDY)))
    day = date_number(text_of(header, 0x00080020)) or 0
    clock = time_number(text_of(header, 0x00080030)) or 0
    return Row(Facts(Level.STUDY, study_uid, "", "", day * 10**6 + clock // 10**6, sums=sums), own, header)


def _whole(text: str) -> int:
    digits = text.strip().removeprefix("+")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else 0
