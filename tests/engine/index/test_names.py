"""Person names: folding, component groups, words, sounds (C12), and what each finds."""

import msgspec
import pytest

from engine.errors import Invalid
from engine.find import find
from engine.index import Index
from engine.index.names import fold_name, is_one_edit, name_terms, sound_of, words
from engine.model import Key, Level, Query
from native import dataset
from tests.engine.index import oracle

NAME = "00100010"
PEOPLE = (
    "Müller^Hans",
    "Mueller^Johann",
    "Schmidt^Ann",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "Łukasiewicz^Jan",
    "O'Brien^Mary Ann",
    "Smith-Jones^Al",
    "たなか^山田",
)


def people(index: Index, *asked: str, fuzzy: bool = False) -> list[str]:
    answer = find(index.view(), Query(level=Level.STUDY, keys=(Key(NAME, asked),), fuzzy=fuzzy))
    return sorted(PEOPLE[int(match.study_uid.rpartition(".")[2])] for match in answer.matches)


@pytest.fixture(params=["fresh", "settled"])
def index(request: pytest.FixtureRequest) -> Index:
    index = Index.open(None)
    for number, name in enumerate(PEOPLE):
        index.fold([oracle.instance((number, 0, 1), named(name), [], "", "").record])
    if request.param == "settled":
        index.settle()
    return index


def named(name: str) -> oracle.Attributes:
    return {path: [name if path == NAME else ""] for path, *_ in oracle.FIELDS}


@pytest.mark.parametrize(
    ("value", "folded"),
    [
        ("Müller^Hans^^", "muller^hans"), ("MÜLLER", "muller"), ("Straße", "strasse"), ("Łukasz", "lukasz"),
        ("Ørsted", "orsted"), ("Ægir", "aegir"), ("ＹＡＭＡＤＡ", "yamada"), ("だ", "だ"),
        ("김^희중", "김^희중"), ("^", ""),
    ],
)  # fmt: skip
def test_C12_folding(value: str, folded: str) -> None:
    assert fold_name(value) == folded


def test_C12_terms_are_kept_by_group() -> None:
    assert list(name_terms("N", "Yamada^Tarou=山田^太郎=やまだ^たろう")) == [
        ("N", "yamada^tarou"), ("N^", "yamada"), ("N%", "amata"), ("N^", "tarou"), ("N%", "tara"),
        ("N|2", "山田^太郎"), ("N|2^", "山田"), ("N|2^", "太郎"),
        ("N|3", "やまだ^たろう"), ("N|3^", "やまだ"), ("N|3^", "たろう"),
    ]  # fmt: skip
    assert [*name_terms("N", ""), *name_terms("N", "=")] == []
    assert words("o'brien^mary-ann  mary") == ["obrien", "mary", "ann"]
    assert len([1 for field, _ in name_terms("N", " ".join(map(str, range(99)))) if field == "N^"]) == 16


@pytest.mark.parametrize(
    "alike",
    [
        ("smith", "smyth", "schmidt", "schmitt"), ("meyer", "maier", "mayr", "meier"), ("stephen", "steven", "stefan"),
        ("catherine", "katharina"), ("philip", "filip", "phillipp"), ("jon", "john"), ("zimmer", "cimmer"),
    ],
)  # fmt: skip
def test_C12_the_same_sound(alike: tuple[str, ...]) -> None:
    assert len({sound_of(word) for word in alike}) == 1 and sound_of(alike[0])


def test_C12_other_sounds_and_none() -> None:
    assert len({sound_of(word) for word in ("meyer", "moore", "miller", "mann", "weber", "peter")}) == 6
    assert {sound_of(word) for word in ("li", "ng", "山田", "an3", "")} == {""}


@pytest.mark.parametrize("one", ["", "a", "abcd", "abdc", "aabb", "bcd", "abxcd"])
@pytest.mark.parametrize("other", ["", "b", "abcd", "acbd", "aabb", "bbaa", "abcde", "xabcd", "dcba"])
def test_one_edit_is_as_its_definition_has_it(one: str, other: str) -> None:
    assert is_one_edit(one, other) == (oracle.distance(one, other) < 2)


@pytest.mark.parametrize(
    ("asked", "fuzzy", "expected"),
    [
        ("MULLER", False, ["Müller^Hans"]),
        ("mü*", False, ["Mueller^Johann", "Müller^Hans"]),
        ("mül*", False, ["Müller^Hans"]),
        ("lukasiewicz^jan", False, ["Łukasiewicz^Jan"]),
        ("山田", False, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("やまだ^*", False, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("やまた", False, []),
        ("yamada=山田", False, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("=山田=", False, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("==山田", False, []),
        ("山田=", False, []),
        ("yamada=田中", False, []),
        ("*=*=やま*", False, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("たなか=", False, ["たなか^山田"]),
        ("Hans Muller", False, []),
        ("Hans Muller", True, ["Müller^Hans"]),
        ("Muller", True, ["Mueller^Johann", "Müller^Hans"]),
        ("*muller*", True, ["Mueller^Johann", "Müller^Hans"]),
        ("*ulle*", True, ["Müller^Hans"]),
        ("Smyth", True, ["Schmidt^Ann", "Smith-Jones^Al"]),
        ("jones, al", True, ["Smith-Jones^Al"]),
        ("obrian", True, ["O'Brien^Mary Ann"]),
        ("mary ann o'brien", True, ["O'Brien^Mary Ann"]),
        ("ymaada tarou", True, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("=taro", True, []),
        ("tarou yamada=太郎", True, ["Yamada^Tarou=山田^太郎=やまだ^たろう"]),
        ("xxmuller", True, []),
        ("jax", True, []),
        ("muxler", True, ["Müller^Hans"]),
    ],
)
def test_C12_names_are_found(index: Index, asked: str, fuzzy: bool, expected: list[str]) -> None:
    assert people(index, asked, fuzzy=fuzzy) == expected


def test_one_edit_does_not_reach_into_another_attribute(index: Index) -> None:
    """0008,1050 and 0008,1060 are one character apart."""
    made = oracle.instance((9, 0, 1), named(""), [], "", "").record
    operator = dataset.element(0x00081050, "PN", b"Muller^Hans")
    index.fold([msgspec.structs.replace(made, header=dataset.merge((made.header, operator)))])
    index.settle()
    for path, total in (("00081050", 1), ("00081060", 0)):
        query = Query(level=Level.INSTANCE, keys=(Key(path, ("muller",)),), fuzzy=True)
        assert find(index.view(), query).total == total


def test_H58_words_asked_for_are_bounded(index: Index) -> None:
    assert people(index, " ".join(f"muller{number}" for number in range(30)), fuzzy=True) == []
    with pytest.raises(Invalid, match="64 words"):
        people(index, *(f"muller{number} hans{number}" for number in range(60)), fuzzy=True)
