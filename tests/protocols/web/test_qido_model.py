"""Any history of stores and removals, asked over HTTP in every spelling, answers like a list of dicts (C23-C32)."""

import json
from typing import Any, Final
from urllib.parse import quote, quote_plus

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.index.oracle import value_matches
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import file_of, instance

# keyword -> tag, representation, depth of what has it (0: patient and study, 1: series, 2: instance), values
FIELDS: Final[dict[str, tuple[str, str, int, tuple[str, ...]]]] = {
    "StudyInstanceUID": ("0020000D", "UI", 0, ("1.2.0", "1.2.1", "1.2.2")),
    "SeriesInstanceUID": ("0020000E", "UI", 1, ("1.2.0.0", "1.2.0.1", "1.2.1.0")),
    "SOPInstanceUID": ("00080018", "UI", 2, ("1.2.0.0.1", "1.2.1.1.2")),
    "PatientID": ("00100020", "LO", 0, ("P1", "P2", "p1", "A,B")),
    "PatientName": ("00100010", "PN", 0, ("Müller^Hans", "MULLER^Anna", "Smith^John^Q", "Smyth^Jon")),
    "StudyDate": ("00080020", "DA", 0, ("20200101", "20200131", "20210101")),
    "StudyTime": ("00080030", "TM", 0, ("08", "0830", "083015", "235959.999999")),
    "AccessionNumber": ("00080050", "SH", 0, ("A1", "A2", "A10")),
    "StudyDescription": ("00081030", "LO", 0, ("Chest", "chest", "a.b[c]", "100% & more+")),
    "Modality": ("00080060", "CS", 1, ("CT", "MR", "PT")),
    "SeriesDate": ("00080021", "DA", 1, ("20200101", "20200102")),
    "SeriesNumber": ("00200011", "IS", 1, ("1", "2", "10")),
    "InstanceNumber": ("00200013", "IS", 2, ("1", "2", "10")),
}
LISTED: Final = ("UI", "DA", "TM", "CS", "IS")  # several values may be parted by commas
UNIQUE: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
LEVELS: Final = ("studies", "series", "instances")

Row = dict[str, str]
Asked = list[tuple[str, list[str]]]  # keyword, values: each counts, whichever parameter said it


@st.composite
def stored(draw: st.DrawFn) -> Row:
    """Mostly of three studies of two series, which agree; some differ from those before them."""
    place = (draw(st.integers(0, 2)), draw(st.integers(0, 1)), draw(st.integers(1, 3)))
    seeds = [sum(place[: depth + 1]) + 7 * depth for depth in range(3)]
    row = {
        keyword: values[(seeds[depth] + number * (depth + 1)) % len(values)]
        for number, (keyword, (_, _, depth, values)) in enumerate(FIELDS.items())
    }
    for keyword in draw(st.lists(st.sampled_from(sorted(set(FIELDS) - set(UNIQUE))), max_size=2)):
        row[keyword] = draw(st.sampled_from(FIELDS[keyword][3]))
    uids = [".".join(("1.2", *map(str, place[: depth + 1]))) for depth in range(3)]
    return row | dict(zip(UNIQUE, uids, strict=True))


@st.composite
def value(draw: st.DrawFn, keyword: str) -> str:
    """As it is, with wild cards, or as a range."""
    _, vr, _, choices = FIELDS[keyword]
    one, other = draw(st.sampled_from(choices)), draw(st.sampled_from(choices))
    if vr in ("DA", "TM"):
        return draw(st.sampled_from((one, f"{one}-", f"-{one}", "-".join(sorted((one, other))))))
    if vr in ("UI", "IS"):
        return one
    wild = (one, one, f"{one[:2]}*", f"*{one[-1:]}", f"?{one[1:]}", f"*{one[1:2]}*", "*", "x*")
    return draw(st.sampled_from(wild))


@st.composite
def question(draw: st.DrawFn) -> tuple[str, Asked, dict[str, str], str]:
    """Level, keys, other parameters, and the query string that says all this in one of its spellings."""
    keywords = draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=2, unique=True))
    asked: Asked = []
    said: list[str] = []
    encode = draw(st.sampled_from((quote, quote_plus, lambda text: "".join(f"%{byte:02X}" for byte in text.encode()))))
    for keyword in keywords:
        tag, vr, _, _ = FIELDS[keyword]
        values = draw(st.lists(value(keyword), min_size=1, max_size=3))
        separators = [",", "\\", "\\\\"] if vr in LISTED else ["\\", "\\\\"]
        apart = draw(st.sampled_from([*separators, "&"]))
        groups = [[one] for one in values] if apart == "&" else [values]
        for group in groups:
            name = draw(st.sampled_from((keyword, tag, tag.lower())))
            said.append(f"{name}={encode(apart.join(group))}")
        asked.append((keyword, values))
    options = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "limit": st.sampled_from(("0", "1", "2", "100")),
                "offset": st.sampled_from(("0", "1", "3", "50")),
                "includefield": st.sampled_from(("all", "PatientSex", "00080060,Rows", "")),
                "fuzzymatching": st.sampled_from(("false", "FALSE", "true")),
            },
        )
    )
    said += [f"{name}={quote(text)}" for name, text in options.items()]
    said = draw(st.permutations(said))
    return draw(st.sampled_from(LEVELS)), asked, options, "&".join(said)


# -- the model -------------------------------------------------------------------------------------------------------


def matches(row: Row, asked: Asked, fuzzy: bool) -> bool:
    return all(
        any(set(one) == {"*"} or value_matches(FIELDS[keyword][1], one, row[keyword], fuzzy=fuzzy) for one in values)
        for keyword, values in asked
    )


def firsts(kept: list[Row], depth: int) -> dict[tuple[str, ...], Row]:
    """Each row is spoken for by its first instance."""
    found: dict[tuple[str, ...], Row] = {}
    for row in kept:
        found.setdefault(tuple(row[name] for name in UNIQUE[: depth + 1]), row)
    return found


def chosen(kept: list[Row], depth: int, asked: Asked, fuzzy: bool) -> dict[tuple[str, ...], Row]:
    """Keys of lower levels: one series, or one instance, has them all."""
    lower = [key for key in asked if FIELDS[key[0]][2] > depth]
    upper = [key for key in asked if key not in lower]
    own = {uids: row for uids, row in firsts(kept, depth).items() if matches(row, upper, fuzzy)}
    if not lower:
        return own
    below = max(FIELDS[keyword][2] for keyword, _ in lower)
    if [keyword for keyword, _ in lower] == ["Modality"] and depth == 0:
        below = 2  # of any of its instances
    holders = {uids[: depth + 1] for uids, row in firsts(kept, below).items() if matches(row, lower, fuzzy)}
    return {uids: row for uids, row in own.items() if uids in holders}


def ordered(found: dict[tuple[str, ...], Row], depth: int) -> list[tuple[str, ...]]:
    """Studies newest first, to the second; series and instances by number; equal ones by UID."""
    uids = sorted(found)
    if depth == 0:
        return sorted(uids, key=lambda one: moment(found[one]), reverse=True)
    number = ("SeriesNumber", "InstanceNumber")[depth - 1]
    return sorted(uids, key=lambda one: int(found[one][number]))


def moment(row: Row) -> str:
    return row["StudyDate"] + row["StudyTime"].partition(".")[0].ljust(6, "0")


def expected(kept: list[Row], level: str, asked: Asked, options: dict[str, str]) -> tuple[list[tuple[str, ...]], int]:
    depth = LEVELS.index(level)
    everything = ordered(chosen(kept, depth, asked, options.get("fuzzymatching") == "true"), depth)
    offset, limit = int(options.get("offset", "0")), int(options.get("limit", "1000"))
    return everything[offset:][:limit], len(everything)


def uids_of(row: dict[str, Any], depth: int) -> tuple[str, ...]:
    return tuple(row[FIELDS[name][0]]["Value"][0] for name in UNIQUE[: depth + 1])


STEPS = st.lists(
    st.one_of(stored(), stored(), question(), question(), st.sampled_from(("delete", "restore", "settle"))),
    min_size=12,
    max_size=60,
)


def test_any_history_is_asked_like_a_list_of_dicts() -> None:
    hits: list[bool] = []

    @settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS)
    def run(steps: list[Any]) -> None:
        serving(lambda served: history(served, steps, hits))

    run()
    assert hits.count(True) > 30 and hits.count(False) > 30


async def history(served: Served, steps: list[Any], hits: list[bool]) -> None:
    kept: dict[str, Row] = {}
    gone: set[str] = set()
    for step in steps:
        if isinstance(step, dict):
            if kept.setdefault(step["SOPInstanceUID"], step) is step:
                await served.archive.store(file_of(instance(1, **step)))
        elif isinstance(step, tuple):
            hits.append(await ask(served, [row for uid, row in kept.items() if uid not in gone], *step))
        elif step == "settle":
            served.archive._house.index.settle()
        elif kept:
            uid = min(kept)
            await getattr(served.archive, step)("instance", SOPInstanceUID=uid)
            (gone.add if step == "delete" else gone.discard)(uid)


async def ask(served: Served, living: list[Row], level: str, asked: Asked, options: dict[str, str], query: str) -> bool:
    """Whether something was found."""
    rows, total = expected(living, level, asked, options)
    answer = await served.client.get(f"/{level}?{query}")
    assert answer.status_code == 200, (query, answer.text)
    depth = LEVELS.index(level)
    assert [uids_of(row, depth) for row in json.loads(answer.content)] == rows, (level, query, living)
    assert answer.headers["x-total-count"] == str(total)
    is_more = bool(rows) and total > int(options.get("offset", "0")) + len(rows)
    assert ("additional results" in answer.headers.get("warning", "")) == is_more, query
    return bool(rows)
