"""Archives by chance, and a slow, obvious matcher: rows are dicts of text, every operator is a few lines of Python."""

import random
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from struct import pack

import msgspec

from engine.index.attributes import element
from engine.index.names import sound_of
from engine.model import StoreRecord
from native import dataset

Attributes = dict[str, list[str]]  # path -> values
NAMES = (
    "Müller^Hans",
    "MULLER^Anna",
    "Smith^John^Q",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "Ångström^Åsa",
    "Smith-Jones^Al",
    "Schmidt^Jon",
    "Smyth^Johann=山田^太郎",
    "Tarou^Yamada",
    "Sjith^Hanns",
    "",
)
PATIENTS = ("P1", "P2", "p1", "P10", "P*", "")
DAYS = ("20200101", "20200102", "20200131", "20210101", "19991231", "")
CLOCKS = ("08", "0830", "083015", "083015.25", "235959.999999", "000000", "")
MOMENTS = ("20200101", "20200101083000", "20200101083000+0100", "20191231233000-0500", "2020", "20200102000000.5", "")
TEXTS = ("Chest", "chest", "Chest CT", "a.b[c]*", "Thorax (routine)", "level:study OR 1", "Füße", "")
CODES = ("X1", "X2", "Y1", "")
WORDS_BY_VR = {"PN": NAMES, "DA": DAYS, "TM": CLOCKS, "DT": MOMENTS}

# path, VR, level whose value it is, choices
FIELDS = (
    ("00080020", "DA", 0, DAYS), ("00080021", "DA", 1, DAYS), ("00080030", "TM", 0, CLOCKS),
    ("00080031", "TM", 1, CLOCKS), ("0008002A", "DT", 2, MOMENTS), ("00080050", "SH", 0, ("A1", "A2", "A10", "")),
    ("00080060", "CS", 1, ("CT", "MR")), ("00081030", "LO", 0, TEXTS), ("0008103E", "LO", 1, TEXTS),
    ("00100010", "PN", 0, NAMES), ("00100020", "LO", 0, PATIENTS), ("00100021", "LO", 0, ("", "ISS")),
    ("00180050", "DS", 2, ("1.5", "2", "")), ("00400244", "DA", 1, DAYS), ("00400245", "TM", 1, CLOCKS),
    ("00204000", "LT", 2, TEXTS),
)  # fmt: skip
SEQUENCE = "00400275"
ITEM_FIELDS = (
    ("00400007", "LO", TEXTS),
    ("00400009", "SH", CODES),
    ("00400002", "DA", DAYS),
    ("00400006", "PN", NAMES),
)
PRIVATE = "0009,ACME 1.0,01"
ZONES = ("", "+0100", "-0500")


class Made(msgspec.Struct):
    """One instance: what was stored, and what the oracle knows of it."""

    record: StoreRecord
    attributes: Attributes
    items: list[Attributes]
    zone: str


def encoded(tag: int, vr: str, text: str) -> bytes:
    return dataset.element(tag, vr, text.encode())


def sequence(tag: int, items: list[bytes]) -> bytes:
    body = b"".join(pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, len(body)) + body


def archive(chance: random.Random, size: int) -> list[Made]:
    """Instances of a few studies and series. Most agree with their series; some say things of their own."""
    shared: dict[tuple[int, ...], Attributes] = {}
    made = []
    for lsn in range(1, size + 1):
        place = (chance.randrange(4), chance.randrange(2), lsn)
        own: Attributes = {}
        for path, _, level, choices in FIELDS:
            at = place[: level + 1]
            values = shared.setdefault(at, {}).setdefault(path, [chance.choice(choices)])
            own[path] = [chance.choice(choices)] if chance.random() < 0.06 else values
        items = [
            {path: [chance.choice(choices)] for path, _, choices in ITEM_FIELDS} for _ in range(chance.randrange(3))
        ]
        made.append(instance(place, own, items, chance.choice(TEXTS[:4]), chance.choice(ZONES)))
    return made


def instance(place: tuple[int, ...], own: Attributes, items: list[Attributes], private: str, zone: str) -> Made:
    study, series, lsn = place
    header = [
        (0x00080005, element(0x00080005, "CS", "ISO_IR 192")),
        (0x00090010, encoded(0x00090010, "LO", "ACME 1.0")),
    ]
    header += [(int(path, 16), encoded(int(path, 16), vr, own[path][0])) for path, vr, _, _ in FIELDS]
    header.append((0x00091001, encoded(0x00091001, "LO", private)))
    header.append((0x00200013, element(0x00200013, "IS", str(lsn % 7))))
    if zone:
        header.append((0x00080201, element(0x00080201, "SH", zone)))
    vrs = {path: vr for path, vr, _ in ITEM_FIELDS}
    nested = [
        b"".join(encoded(int(path, 16), vrs[path], values[0]) for path, values in sorted(item.items()))
        for item in items
    ]
    header.append((int(SEQUENCE, 16), sequence(int(SEQUENCE, 16), nested)))
    record = StoreRecord(
        writer="w", lsn=lsn, stamp=lsn,
        study_uid=f"1.2.{study}", series_uid=f"1.2.{study}.{series}", sop_instance_uid=f"1.2.{study}.{series}.{lsn}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2", transfer_syntax_uid="1.2.840.10008.1.2.1",
        key=f"{lsn:032x}", size_bytes=1, content_digest=str(lsn).encode(),
        header=b"".join(raw for _, raw in sorted(header)),
    )  # fmt: skip
    attributes = own | {PRIVATE: [private], "00200013": [str(lsn % 7)]}
    return Made(record, attributes, items, zone)


# -- the matcher -----------------------------------------------------------------------------------------------------


def folded(name: str) -> str:
    bare = (c for c in unicodedata.normalize("NFKD", name) if c == "\u3099" or not unicodedata.combining(c))
    return unicodedata.normalize("NFC", "".join(bare)).casefold().strip(" ^")


def like(pattern: str, text: str) -> bool:
    expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def name_matches(asked: str, value: str, fuzzy: bool) -> bool:
    groups = [folded(group) for group in value.split("=")]
    if "=" not in asked:
        return any(group_matches(folded(asked), group, fuzzy) for group in groups)
    wanted = [folded(group) for group in asked.split("=")]
    groups += [""] * (len(wanted) - len(groups))
    return all(
        not one.strip("*") or group_matches(one, other, fuzzy) for one, other in zip(wanted, groups, strict=False)
    )


def group_matches(asked: str, group: str, fuzzy: bool) -> bool:
    if not group or not asked:
        return not asked
    is_plain = not set(asked) & {"*", "?"}
    if like(asked, group) or (is_plain and like(asked + "^*", group)):
        return True
    words = [word for word in re.split(r"[ ^-]", group) if word]
    wanted = [word for word in re.split(r"[ ^*?-]", asked) if word]
    return fuzzy and bool(wanted) and all(any(is_alike(one, word) for word in words) for one in wanted)


def is_alike(asked: str, word: str) -> bool:
    if word.startswith(asked) or (sound_of(asked) and sound_of(asked) == sound_of(word)):
        return True
    return len(asked) > 3 and distance(asked, word) < 2


@cache
def distance(one: str, other: str) -> int:
    """Of Damerau and Levenshtein, by its definition: small words only."""
    if not one or not other:
        return len(one) + len(other)
    costs = [distance(one[1:], other) + 1, distance(one, other[1:]) + 1,
             distance(one[1:], other[1:]) + (one[0] != other[0])]  # fmt: skip
    if one[:2] == other[1::-1] and len(one) > 1:
        costs.append(distance(one[2:], other[2:]) + 1)
    return min(costs)


def day_of(text: str) -> tuple[str, str] | None:
    return (text, text) if re.fullmatch(r"\d{8}", text) else None


def clock_of(text: str) -> tuple[str, str] | None:
    """First and last moment of a time, twelve digits."""
    if not re.fullmatch(r"\d\d(\d\d(\d\d(\.\d{1,6})?)?)?", text):
        return None
    digits = text.replace(".", "")
    return digits.ljust(12, "0"), digits + "235959999999"[len(digits) :]


def moment_of(text: str, zone: str, home: str) -> tuple[datetime, datetime] | None:
    """First and last moment of a DT value; without a zone as the digits say."""
    match = re.fullmatch(r"(\d{4,14})(\.\d{1,6})?([+-]\d{4})?", text)
    if match is None:
        return None
    digits, fraction, offset = match.groups()
    first = datetime.strptime((digits + "00000101000000"[len(digits) :]), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    whole = {4: 366, 6: 31, 8: 1}.get(len(digits))
    if whole:
        after = first.replace(year=first.year + 1) if len(digits) == 4 else first + timedelta(days=whole)
        last = after - timedelta(microseconds=1)
    else:
        span = {10: timedelta(hours=1), 12: timedelta(minutes=1), 14: timedelta(seconds=1)}[len(digits)]
        last = first + span - timedelta(microseconds=1)
    if fraction:
        first += timedelta(microseconds=int(fraction[1:].ljust(6, "0")))
        last = first + timedelta(microseconds=10 ** (6 - len(fraction[1:])) - 1)
    if zone:
        shift = offset or home or zone
        zoned = timezone(timedelta(minutes=(1 if shift[0] == "+" else -1) * (int(shift[1:3]) * 60 + int(shift[3:]))))
        return first.replace(tzinfo=zoned), last.replace(tzinfo=zoned)
    return first, last


def in_range(vr: str, asked: str, value: str, zone: str, home: str) -> bool:
    def span(text: str) -> tuple[object, object] | None:
        if vr == "DA":
            return day_of(text)
        return clock_of(text) if vr == "TM" else moment_of(text, zone, home)

    def ends(text: str) -> tuple[object, object] | None:
        return span(text) if vr != "DT" else moment_of(text, zone, "")

    own = span(value)
    low, dash, high = asked.partition("-") if vr != "DT" else dt_range(asked)
    if own is None:
        return not dash and value == asked
    first = ends(low) if low else None
    last = ends(high if dash else low) if (high or not dash) else None
    return (first is None or first[0] <= own[0]) and (last is None or own[0] <= last[1])  # type: ignore[operator]


def dt_range(asked: str) -> tuple[str, str, str]:
    low, dash, high = asked.partition(" - ")
    return low, dash, high


def value_matches(vr: str, asked: str, value: str, zone: str = "", home: str = "", fuzzy: bool = False) -> bool:
    if not value:
        return False
    if vr == "PN":
        return name_matches(asked, value, fuzzy)
    if vr in ("DA", "TM", "DT") and not set(asked) & {"*", "?"}:
        return in_range(vr, asked, value, zone, home)
    return like(asked, value) if set(asked) & {"*", "?"} else asked == value
