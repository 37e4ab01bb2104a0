"""Every operator at every level, fresh, half settled and settled, against the oracle: C09-C13."""

import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine.find import find
from engine.index import Index
from engine.index.texts import text_of
from engine.model import Key, Level, Query
from tests.engine.index import oracle
from tests.engine.index.oracle import FIELDS, ITEM_FIELDS, PRIVATE, SEQUENCE, Attributes, Made

UIDS = {"0020000D": 1, "0020000E": 2, "00080018": 3}  # path -> level
VRS = {path: vr for path, vr, _, _ in FIELDS} | {PRIVATE: "LO", "00200013": "IS"}
ITEM_VRS = {path: vr for path, vr, _ in ITEM_FIELDS}
DEPTH = {Level.PATIENT: 1, Level.STUDY: 1, Level.SERIES: 2, Level.INSTANCE: 3}
COMPUTED = ("00080061", "00201206", "00201208", "00201209")
# Attributes that only series, or only instances have: path -> depth
LOWER = {"0020000E": 2, "00080021": 2, "00080031": 2, "00080060": 2, "0008103E": 2, "00400244": 2, "00400245": 2,
         "00080018": 3, "00200013": 3}  # fmt: skip


def place(made: Made) -> tuple[str, str, str]:
    record = made.record
    return record.study_uid, record.series_uid, record.sop_instance_uid


def rows(made: list[Made], level: Level) -> dict[tuple[str, ...], tuple[Made, Attributes]]:
    """What speaks for each row of a level: its first instance; and what is counted."""
    found: dict[tuple[str, ...], tuple[Made, Attributes]] = {}
    for one in made:
        found.setdefault(place(one)[: DEPTH[level]], (one, {}))
    for uid, (_, counted) in found.items():
        study = [one for one in made if place(one)[0] == uid[0]]
        counted["00080061"] = sorted({one.attributes["00080060"][0] for one in study})
        counted["00201206"] = [str(len({place(one)[1] for one in study}))]
        counted["00201208"] = [str(len(study))]
        if len(uid) > 1:
            counted["00201209"] = [str(sum(place(one)[1] == uid[1] for one in study))]
    return found


def key_matches(key: Key, level: Level, row: tuple[Made, Attributes], query: Query) -> bool:
    made, counted = row
    if not key.values or any(set(value) == {"*"} for value in key.values):
        return True
    if key.path in UIDS:
        values = [place(made)[UIDS[key.path] - 1]] if UIDS[key.path] <= DEPTH[level] else []
        return not values or any(oracle.value_matches("UI", asked, value) for asked in key.values for value in values)
    if key.path in COMPUTED:
        if key.path == "00201209" and DEPTH[level] < 2:
            return True
        return any(oracle.value_matches("CS", asked, value) for asked in key.values for value in counted[key.path])
    values = made.attributes.get(key.path, [])
    vr, zone, home = VRS[key.path], query.zone, made.zone
    return any(
        oracle.value_matches(vr, asked, value, zone, home, query.fuzzy) for asked in key.values for value in values
    )


def item_matches(keys: list[Key], made: Made, query: Query) -> bool:
    """All keys in one item."""
    return any(
        all(
            any(
                oracle.value_matches(ITEM_VRS[key.path[9:]], asked, value, query.zone, made.zone, query.fuzzy)
                for asked in key.values
                for value in item[key.path[9:]]
            )
            for key in keys
        )
        for item in made.items
    )


def holders(made: list[Made], query: Query, lower: list[Key]) -> set[tuple[str, ...]]:
    """Rows that hold one series, or one instance, of which all these keys are true."""
    at = Level.INSTANCE if any(LOWER[key.path] == 3 for key in lower) else Level.SERIES
    below = rows(made, at)
    return {
        uid[: DEPTH[query.level]]
        for uid, row in below.items()
        if all(key_matches(key, at, row, query) for key in lower)
    }


def expected(made: list[Made], query: Query) -> set[tuple[str, ...]]:
    """Keys of lower levels choose what holds one below that has them."""
    lower = [key for key in query.keys if LOWER.get(key.path, 0) > DEPTH[query.level] and key.values]
    keys = tuple(key for key in query.keys if key not in lower)
    if query.level == Level.STUDY and [key.path for key in lower] == ["00080060"]:  # said by any of its instances
        keys, lower = (*keys, Key("00080061", lower[0].values)), []
    own = expected_here(made, msgspec.structs.replace(query, keys=keys))
    return own & holders(made, query, lower) if lower else own


def expected_here(made: list[Made], query: Query) -> set[tuple[str, ...]]:
    level = query.level
    inner = [key for key in query.keys if key.path.startswith(SEQUENCE)]
    own = [key for key in query.keys if not key.path.startswith(SEQUENCE)]
    asked_inner = [key for key in inner if key.values and not any(set(value) == {"*"} for value in key.values)]
    return {
        uid
        for uid, row in rows(made, level).items()
        if all(key_matches(key, level, row, query) for key in own)
        and (not asked_inner or item_matches(asked_inner, row[0], query))
    }


# -- questions -------------------------------------------------------------------------------------------------------


def wild(chance: random.Random, value: str) -> str:
    """A pattern made from a value: some characters become ``?``, some stretches ``*``."""
    out = list(value) or ["*"]
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(out))
        if chance.random() < 0.5:
            out[at] = "?"
        else:
            out[at : at + chance.randint(0, 4)] = ["*"]
            out = out or ["*"]
    return "".join(out)


def asked_value(chance: random.Random, vr: str, choices: tuple[str, ...]) -> str:
    value = chance.choice(choices)
    if vr in ("DA", "TM", "DT") and chance.random() < 0.6:
        dash = " - " if vr == "DT" else "-"
        low, high = chance.choice(choices), chance.choice(choices)
        if not low or not high:
            return f"{low or high or choices[0]}{dash}"
        return chance.choice((f"{low}{dash}{high}", f"{low}{dash}", f"{dash}{high}"))
    return wild(chance, value) if chance.random() < 0.5 and vr not in ("DA", "TM", "DT") else value


def question(chance: random.Random, made: list[Made], level: Level) -> Query:
    choices: dict[str, tuple[str, tuple[str, ...]]] = {path: (vr, some) for path, vr, _, some in FIELDS}
    choices |= {PRIVATE: ("LO", oracle.TEXTS[:4]), "00200013": ("IS", ("1", "2", "6"))}
    choices |= {f"{SEQUENCE}.{path}": (vr, some) for path, vr, some in ITEM_FIELDS}
    choices |= {path: ("UI", tuple(place(one)[at - 1] for one in made)) for path, at in UIDS.items()}
    choices |= {
        "00080061": ("CS", ("CT", "MR", "US")),
        "00201208": ("IS", ("5", "6", "7")),
        "00201209": ("IS", ("3", "4")),
    }
    paths = chance.sample(sorted(choices), chance.choice((1, 1, 2, 3)))
    if chance.random() < 0.3:
        paths = chance.sample([f"{SEQUENCE}.{path}" for path in ITEM_VRS], 2)
    keys = [
        Key(path, tuple(asked_value(chance, *choices[path]) for _ in range(chance.choice((1, 1, 2))))) for path in paths
    ]
    keys = [Key(key.path, tuple(value for value in key.values if value)) for key in keys]
    zone = chance.choice(("", "", "+0100"))
    return Query(level=level, keys=tuple(keys), fuzzy=chance.random() < 0.2, zone=zone)


def packed(query: Query) -> Query:
    """DT ranges as the standard writes them."""
    keys = tuple(Key(key.path, tuple(value.replace(" - ", "-") for value in key.values)) for key in query.keys)
    return Query(level=query.level, keys=keys, fuzzy=query.fuzzy, zone=query.zone)


def found(index: Index, query: Query) -> set[tuple[str, ...]]:
    answer = find(index.view(), query)
    uids = [
        (match.study_uid, match.series_uid, match.sop_instance_uid)[: DEPTH[query.level]] for match in answer.matches
    ]
    assert len(uids) == len(set(uids)) == answer.total
    return set(uids)


def indexes(made: list[Made], path: Path) -> dict[str, Index]:
    """The same instances fresh, half settled, settled at once (in blocks), and settled one by one."""
    records = [one.record for one in made]
    opened = {name: Index.open(path / name) for name in ("fresh", "half", "settled", "single")}
    for name, index in opened.items():
        for at, one in enumerate(records):
            index.fold([one])
            if name == "single" or (name == "half" and at == len(records) // 2):
                index.settle()
        if name == "settled":
            index.settle()
    return opened


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.INSTANCE])
@pytest.mark.parametrize("seed", range(3))
def test_every_operator_answers_like_the_oracle(seed: int, level: Level, tmp_path: Path) -> None:
    chance = random.Random(seed)
    made = oracle.archive(chance, 24)
    opened = indexes(made, tmp_path)
    hits = 0
    for _ in range(80):
        query = question(chance, made, level)
        wanted = expected(made, query)
        hits += 0 < len(wanted) < len(rows(made, level))
        for name, index in opened.items():
            assert found(index, packed(query)) == wanted, (name, query)
    assert hits > 15, "most questions tell some rows from others"


@pytest.mark.parametrize("seed", range(3))
def test_patients_are_those_of_matching_studies(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    made = oracle.archive(chance, 24)
    opened = indexes(made, tmp_path)

    def patient(one: Made) -> tuple[str, str]:
        return one.attributes["00100020"][0], one.attributes["00100021"][0]

    for _ in range(40):
        query = question(chance, made, Level.STUDY)
        studies = rows(made, Level.STUDY)
        wanted = sorted({patient(studies[uid][0]) for uid in expected(made, query)})
        asked = packed(query)
        for name, index in opened.items():
            answer = find(index.view(), Query(level=Level.PATIENT, keys=asked.keys, fuzzy=asked.fuzzy, zone=asked.zone))
            texts = [(text_of(match.header, 0x00100020), text_of(match.header, 0x00100021)) for match in answer.matches]
            assert texts == wanted, (name, query)


@pytest.mark.parametrize("seed", range(3))
def test_related_counts_of_a_patient(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    made = oracle.archive(chance, 24)
    studies = rows(made, Level.STUDY)
    asked = tuple(Key(path, ()) for path in ("00201200", "00201202", "00201204", "00201206", "00201208", "00201209"))
    for index in indexes(made, tmp_path).values():
        for level in Level:
            for match in find(index.view(), Query(level=level, keys=asked)).matches:
                own = (text_of(match.header, 0x00100020), text_of(match.header, 0x00100021))
                if level == Level.INSTANCE or level == Level.SERIES:
                    speaker = studies[match.study_uid,][0]
                    own = (speaker.attributes["00100020"][0], speaker.attributes["00100021"][0])
                if not own[0]:
                    continue
                mine = [
                    uid
                    for uid, (one, _) in studies.items()
                    if (one.attributes["00100020"][0], one.attributes["00100021"][0]) == own
                ]
                below = [one for one in made if place(one)[:1] in mine]
                counts = (len(mine), len({place(one)[1] for one in below}), len(below))
                assert tuple(int(text_of(match.header, tag)) for tag in (0x00201200, 0x00201202, 0x00201204)) == counts
                if level in (Level.SERIES, Level.INSTANCE):
                    series = [one for one in made if place(one)[:2] == (match.study_uid, match.series_uid)]
                    assert text_of(match.header, 0x00201209) == str(len(series))
                if level != Level.PATIENT:
                    assert text_of(match.header, 0x00201208) == str(
                        sum(place(one)[0] == match.study_uid for one in made)
                    )


SORTS: dict[str, Callable[[Made], object]] = {
    "00200013": lambda one: int(one.attributes["00200013"][0]),
    "00081030": lambda one: oracle.folded(one.attributes["00081030"][0]),
}


@pytest.mark.parametrize("path", SORTS)
@pytest.mark.parametrize("sign", ["", "-"])
def test_sorted_pages(path: str, sign: str, tmp_path: Path) -> None:
    made = oracle.archive(random.Random(7), 24)
    ordered = sorted(sorted(made, key=place), key=SORTS[path], reverse=bool(sign))  # type: ignore[arg-type]
    for index in indexes(made, tmp_path).values():
        uids, token = [], ""
        while True:
            page = find(index.view(), Query(level=Level.INSTANCE, sort=(sign + path,), limit=5, page=token))
            assert page.total == len(made)
            uids += [match.sop_instance_uid for match in page.matches]
            token = page.next_page
            if not token:
                break
        assert uids == [place(one)[2] for one in ordered]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("zone", ["", "+0100"])
def test_a_date_and_its_time_are_one_moment_when_that_was_agreed(seed: int, zone: str, tmp_path: Path) -> None:
    chance = random.Random(seed)
    made = oracle.archive(chance, 24)
    opened = indexes(made, tmp_path)
    days, clocks = [day for day in oracle.DAYS if day], [clock for clock in oracle.CLOCKS if clock]
    for date, time, level in (("00080020", "00080030", Level.STUDY), ("00400244", "00400245", Level.INSTANCE)):
        hits = 0
        for _ in range(25):
            ends = sorted((chance.choice(days), chance.choice(clocks)) for _ in range(2))
            keys = (Key(date, (f"{ends[0][0]}-{ends[1][0]}",)), Key(time, (f"{ends[0][1]}-{ends[1][1]}",)))
            low = oracle.moment_of(ends[0][0] + ends[0][1], zone, "")
            high = oracle.moment_of(ends[1][0] + ends[1][1], zone, "")
            assert low and high
            wanted = set()
            for uid, (one, _) in rows(made, level).items():
                day, clock = one.attributes[date][0], one.attributes[time][0]
                own = oracle.moment_of(day + clock, zone, one.zone) if day and clock else None
                if own and low[0] <= own[0] <= high[1]:
                    wanted.add(uid)
            hits += len(wanted) > 0
            for name, index in opened.items():
                query = Query(level=level, keys=keys, combined_date_time=True, zone=zone)
                assert found(index, query) == wanted, (name, query)
        assert hits > 5
