"""What is folded is found: by every kind of key, in any order of arrival, through settles, crashes and re-opens."""

import random
from pathlib import Path

import msgspec
import pytest

from engine.errors import Invalid
from engine.find import find
from engine.index import Index, shard
from engine.index.attributes import element
from engine.index.texts import text_of as first_text
from engine.model import Instance, Key, Level, Query, StoreRecord


class At(msgspec.Struct):
    writer: str
    mark: tuple[int, str, int]


def record(study: int, series: int, instance: int, lsn: int, **more: str) -> StoreRecord:
    uid = f"1.2.{study}"
    name = more.get("name", f"Pat{study}^Anna")
    charset = b"" if name.isascii() else element(0x00080005, "CS", "ISO_IR 192")
    raw = name.encode() + b" " * (len(name.encode()) % 2)
    pn = element(0x00100010, "PN", "x" * len(raw))[: -len(raw) or None] + raw if raw else element(0x00100010, "PN", "")
    header = b"".join(
        (
            charset,
            element(0x00080020, "DA", f"202001{study + 1:02d}"),
            element(0x00080030, "TM", f"08{study:02d}00"),
            element(0x00080050, "SH", f"ACC{study}"),
            element(0x00080060, "CS", more.get("modality", "CT" if series % 2 else "MR")),
            element(0x00081030, "LO", more.get("description", "Chest")),
            pn,
            element(0x00100020, "LO", f"P{study % 3}"),
            element(0x00180050, "DS", f"{instance}.5"),
            element(0x00200011, "IS", str(series)),
            element(0x00200013, "IS", str(instance)),
        )
    )
    return StoreRecord(
        writer="w",
        lsn=lsn,
        stamp=lsn,
        study_uid=uid,
        series_uid=f"{uid}.{series}",
        sop_instance_uid=more.get("sop", f"{uid}.{series}.{instance}"),
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        key=more.get("key", f"k{study}-{series}-{instance}"),
        size_bytes=1,
        content_digest=more.get("content", f"{study}-{series}-{instance}").encode(),
        header=header,
    )


def archive(studies: int = 5, series: int = 2, instances: int = 3) -> list[StoreRecord]:
    places = [(a, b, c) for a in range(studies) for b in range(1, series + 1) for c in range(1, instances + 1)]
    return [record(a, b, c, lsn) for lsn, (a, b, c) in enumerate(places, 1)]


def query(level: str, *keys: tuple[str, str], **more: object) -> Query:
    wanted = tuple(Key(path, tuple(value.split("\\"))) for path, value in keys)
    return Query(level=Level(level), keys=wanted, **more)  # type: ignore[arg-type]


def studies_of(index: Index, *keys: tuple[str, str]) -> list[str]:
    return sorted(match.study_uid for match in find(index.view(), query("study", *keys)).matches)


@pytest.fixture(params=["fresh", "settled", "half"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Index:
    opened = Index.open(tmp_path / "index")
    records = archive()
    opened.fold(records[:14])
    if request.param != "fresh":
        opened.settle()
    opened.fold(records[14:])
    if request.param == "settled":
        opened.settle()
    return opened


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([("00100020", "P1")], [1, 4]),
        ([("00100020", "p1")], []),
        ([("00100010", "pat3*")], [3]),
        ([("00100010", "PAT3")], [3]),
        ([("00100010", "*anna")], [0, 1, 2, 3, 4]),
        ([("00100010", "pat?^anna")], [0, 1, 2, 3, 4]),
        ([("00080020", "20200102-20200103")], [1, 2]),
        ([("00080020", "20200104-")], [3, 4]),
        ([("00080020", "-20200101")], [0]),
        ([("00080020", "20200102")], [1]),
        ([("00080030", "0801-0802")], [1, 2]),
        ([("00080050", "ACC1\\ACC2")], [1, 2]),
        ([("00080050", "*C4")], [4]),
        ([("0020000D", "1.2.1\\1.2.2\\9")], [1, 2]),
        ([("00080061", "CT")], [0, 1, 2, 3, 4]),
        ([("00080061", "US\\MR")], [0, 1, 2, 3, 4]),
        ([("00080061", "US")], []),
        ([("00201208", "6")], [0, 1, 2, 3, 4]),
        ([("00100020", "kv:* OR level:study")], []),
        ([("00100010", "*")], [0, 1, 2, 3, 4]),
    ],
)
def test_studies_match(index: Index, keys: list[tuple[str, str]], expected: list[int]) -> None:
    assert studies_of(index, *keys) == [f"1.2.{number}" for number in expected]


def test_series_and_instances(index: Index) -> None:
    series = find(index.view(), query("series", ("0020000D", "1.2.2")))
    assert [match.series_uid for match in series.matches] == ["1.2.2.1", "1.2.2.2"]
    assert first_text(series.matches[0].header, 0x00201209) == "3"
    assert first_text(series.matches[0].header, 0x00201208) == "6"
    below = find(index.view(), query("instance", ("0020000D", "1.2.2"), ("0020000E", "1.2.2.1")))
    assert [match.sop_instance_uid for match in below.matches] == ["1.2.2.1.1", "1.2.2.1.2", "1.2.2.1.3"]
    assert all(match.instance and match.instance.key for match in below.matches)
    assert not find(index.view(), query("series", ("0020000D", "1.2.2"), ("00100020", "P1"))).matches
    assert find(index.view(), query("series", ("00080061", "CT"))).total == 10
    assert find(index.view(), query("instance", ("00180050", "2.5"))).total == 10


def test_patients(index: Index) -> None:
    found = find(index.view(), query("patient"))
    assert [first_text(match.header, 0x00100020) for match in found.matches] == ["P0", "P1", "P2"]


def located(index: Index, sop_instance_uid: str) -> Instance:
    row = index.view().row_of("1.2.1", "1.2.1.1", sop_instance_uid)
    assert row is not None
    instance = row.instance()
    assert instance is not None
    return instance


@pytest.mark.parametrize("at_a_time", [1, 7, 100])
def test_every_instance_is_told_once(index: Index, monkeypatch: pytest.MonkeyPatch, at_a_time: int) -> None:
    monkeypatch.setattr(shard, "EVERY_COUNT", at_a_time)
    told = list(index.view().every_instance())
    assert len(told) == 30
    assert {one.sop_instance_uid: one for one in told} == {
        one.sop_instance_uid: one for one in index.view().instances(query("instance"))
    }


def test_moves_get_series_order(index: Index) -> None:
    moved = index.view().instances(query("study", ("0020000D", "1.2.1")))
    assert [one.sop_instance_uid for one in moved] == [f"1.2.1.{s}.{i}" for s in (1, 2) for i in (1, 2, 3)]
    assert len(index.view().instances(query("study", ("00080061", "CT")))) == 30
    assert located(index, "1.2.1.1.2").key == "k1-1-2"
    assert index.view().row_of("1.2.1", "1.2.1.1", "9") is None
    assert index.view().counts() == (5, 10, 30)


def test_outcomes_and_replay(index: Index) -> None:
    view = index.view().counts()
    again = index.fold(archive())
    assert {outcome.outcome for outcome in again} == {"new"}
    assert index.view().counts() == view
    same, version, elsewhere = index.fold(
        [
            record(1, 1, 1, 200, key="other"),
            record(1, 1, 1, 201, key="second", content="else"),
            record(9, 1, 1, 202, sop="1.2.1.1.1"),
        ]
    )
    assert (same.outcome, same.record.key, same.carries) == ("same", "k1-1-1", False)  # type: ignore[union-attr]
    assert (version.outcome, version.record.key, version.carries) == ("version", "second", True)  # type: ignore[union-attr]
    assert elsewhere.outcome == "elsewhere"
    assert index.view().counts() == (6, 11, 31)
    found = located(index, "1.2.1.1.1")
    assert (found.key, found.version_count) == ("k1-1-1", 2)


@pytest.mark.parametrize("name", ["Müller^Hans", "MULLER^HANS"])
@pytest.mark.parametrize("asked", ["Müller", "müller", "MULLER", "mull*", "M?ller^h*"])
def test_c12_names_fold(name: str, asked: str) -> None:
    index = Index.open(None)
    index.fold([record(1, 1, 1, 1, name=name)])
    assert studies_of(index, ("00100010", asked)) == ["1.2.1"]
    index.settle()
    assert studies_of(index, ("00100010", asked)) == ["1.2.1"]


def test_equal_bytes_of_other_character_sets_are_other_names() -> None:
    raw, index = "Müller".encode(), Index.open(None)
    for number, character_set in enumerate(("ISO_IR 192", "ISO_IR 100"), 1):
        name = element(0x00100010, "PN", "x" * 8)[:8] + raw + b" "
        made = record(1, 1, number, number)
        index.fold([msgspec.structs.replace(made, header=element(0x00080005, "CS", character_set) + name)])
    for _ in range(2):
        for asked, expected in (("müller", ["1.2.1.1.1"]), ("MÃ¼ller", ["1.2.1.1.2"])):
            found = find(index.view(), query("instance", ("00100010", asked))).matches
            assert [match.sop_instance_uid for match in found] == expected
        index.settle()


def test_any_order_gives_equal_rows(tmp_path: Path) -> None:
    records = [
        *archive(2),
        record(1, 1, 1, 50, content="b"),
        record(1, 1, 2, 51),
        record(0, 1, 1, 52, description="Later"),
    ]
    answers = set()
    for seed in range(3):
        shuffled = random.Random(seed).sample(records, len(records))
        index = Index.open(tmp_path / str(seed))
        for at, one in enumerate(shuffled):
            index.fold([one])
            if at % (3 + seed) == 0:
                index.settle()
            if at % 2:
                index.view()
        found = [find(index.view(), query(level)) for level in ("study", "series", "instance")]
        answers.add(
            repr([[(m.study_uid, m.series_uid, m.sop_instance_uid, m.header) for m in f.matches] for f in found])
        )
    assert len(answers) == 1


def test_a_crash_loses_nothing_behind_the_cursor(tmp_path: Path) -> None:
    records = archive()
    index = Index.open(tmp_path / "index")
    index.fold(records[:10])
    index.note_position(At("w", (1, "n", 4)))
    index.settle()
    index.fold(records[10:])
    whole = find(index.view(), query("instance"))
    del index
    reopened = Index.open(tmp_path / "index")
    assert reopened.cursor == {"w": (1, "n", 4)}
    assert reopened.view().counts()[2] == 10
    reopened.fold(records[8:])
    assert find(reopened.view(), query("instance")).matches == whole.matches


def current(tmp_path: Path) -> Path:
    return tmp_path / "index" / (tmp_path / "index" / "current").read_text()


def test_a_damaged_index_is_discarded(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "index")
    index.fold(archive())
    index.note_position(At("w", (1, "n", 4)))
    index.settle()
    index.close()
    current(tmp_path).joinpath("meta.json").write_text("{")
    assert Index.open(tmp_path / "index").cursor == {}
    current(tmp_path).joinpath("form").write_text("another")
    index = Index.open(tmp_path / "index")
    assert len(list((tmp_path / "index").iterdir())) == 2, "what was discarded is gone"
    (tmp_path / "index" / "current").write_text("../../elsewhere")
    assert Index.open(tmp_path / "index").view().counts() == (0, 0, 0)


@pytest.mark.parametrize(
    "value", ["*a" * 20_000, "*a*b*c*d*e*f*g*h" * 4, "?" * 3000, "../" * 50, "[(", "a" * 70_000, "*" * 4000]
)
def test_h10_h58_bombs_are_refused_or_answered(index: Index, value: str) -> None:
    for path in ("00100010", "00080050", "0020000D", "00181030"):
        try:
            find(index.view(), query("study", (path, value)))
        except Invalid:
            continue
    (found,) = find(index.view(), query("study", ("0020000D", "1.2.1"))).matches
    assert found.study_uid == "1.2.1", "the next question is answered"


def test_a_study_that_became_older_makes_room_for_the_next(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "index")
    index.fold([record(number, 1, 1, 10 + number) for number in range(1, 5)])
    index.settle()
    earlier = record(4, 1, 2, 1)
    index.fold([msgspec.structs.replace(earlier, header=record(0, 1, 2, 1).header)])
    page = find(index.view(), query("study", limit=1))
    assert [match.study_uid for match in page.matches] == ["1.2.3"]
    assert page.total == 4
