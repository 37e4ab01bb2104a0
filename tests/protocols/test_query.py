"""Identifiers to queries: levels, keys, values, character sets, limits."""

import contextlib
import struct

import pytest

from engine.model import Key, Level
from native import dataset
from protocols.query import KEYS_MAX, QueryOptions, Refused, find_identifier, move_identifier
from protocols.query_parameters import search_of

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"


def identifier(*elements: tuple[int, str, bytes], character_set: bytes = b"", level: bytes = b"STUDY") -> bytes:
    wanted = [(0x00080052, "CS", level), *elements]
    if character_set:
        wanted.append((0x00080005, "CS", character_set))
    return b"".join(dataset.element(*element) for element in sorted(wanted))


def keys(*elements: tuple[int, str, bytes], **options: bytes) -> tuple[Key, ...]:
    return find_identifier(identifier(*elements, **options), EXPLICIT, "study").query.keys


def test_values_are_split_trimmed_and_universal_ones_left_out() -> None:
    assert keys(
        (0x00080020, "DA", b"20240101-20240201"),
        (0x00080061, "CS", b"CT\\MR "),
        (0x00100010, "PN", b"DOE* "),
        (0x00100020, "LO", b""),
        (0x00081030, "LO", b"*"),
        (0x0020000D, "UI", b"1.2\\1.3\0"),
    ) == (
        Key("00080020", ("20240101-20240201",)),
        Key("00080061", ("CT", "MR")),
        Key("00100010", ("DOE*",)),
        Key("0020000D", ("1.2", "1.3")),
    )


@pytest.mark.parametrize(
    ("character_set", "raw"),
    [
        (b"ISO_IR 100", "Müller".encode("latin-1")),
        (b"ISO_IR 192", "Müller".encode()),
        (b"ISO_IR 144", "Иванов".encode("iso8859-5")),
    ],
)
def test_text_is_decoded_by_the_identifiers_character_set(character_set: bytes, raw: bytes) -> None:
    (key,) = keys((0x00100010, "PN", raw), character_set=character_set)
    assert key.values in (("Müller",), ("Иванов",))


def test_implicit_identifiers_read_the_same() -> None:
    def implicit(tag: int, value: bytes) -> bytes:
        return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value

    data = implicit(0x00080052, b"STUDY ") + implicit(0x00100020, b"P1") + implicit(0x0020000D, b"")
    asked = find_identifier(data, IMPLICIT, "study")
    assert asked.query.keys == (Key("00100020", ("P1",)),)
    assert asked.tags == (0x00100020, 0x0020000D)
    assert asked.level_name == "STUDY"


@pytest.mark.parametrize(
    ("tag", "vr", "raw", "text"),
    [
        (0x00189073, "FD", struct.pack("<d", 2.0), "2"),  # all its bytes are ASCII
        (0x00189073, "FD", struct.pack("<d", 0.5), "0.5"),
        (0x00089459, "FL", struct.pack("<f", 2.0), "2"),
        (0x00089459, "FL", struct.pack("<f", 0.1), "0.1"),
        (0x00280009, "AT", struct.pack("<HH", 0x0018, 0x1063), "00181063"),
        (0x00280009, "AT", struct.pack("<HH", 0x0054, 0x00F0), "005400F0"),
        (0x00189219, "SS", struct.pack("<h", -3), "-3"),
    ],
)
def test_binary_values_are_asked_for_as_they_are_indexed(tag: int, vr: str, raw: bytes, text: str) -> None:
    study, series = (0x0020000D, "UI", b"1.2\0"), (0x0020000E, "UI", b"1.3\0")
    assert Key(f"{tag:08X}", (text,)) in keys(study, series, (tag, vr, raw), level=b"IMAGE")
    if raw[2:]:
        with pytest.raises(Refused):
            keys(study, series, (tag, vr, raw[2:]), level=b"IMAGE")


@pytest.mark.parametrize(("asked", "text"), [("2", "2"), ("2.0", "2"), ("2e0", "2"), ("0.10", "0.1"), ("two", "two")])
def test_a_search_over_the_web_asks_for_the_same_numbers(asked: str, text: str) -> None:
    (key,) = search_of(Level.INSTANCE, {}, [("AcquisitionDuration", asked)], 10).query.keys
    assert key == Key("00189073", (text,))


def test_numbers_become_decimal_text() -> None:
    study, series = (0x0020000D, "UI", b"1.2\0"), (0x0020000E, "UI", b"1.3\0")
    key = keys(study, series, (0x00280010, "US", struct.pack("<H", 512)), level=b"IMAGE")[-1]
    assert key == Key("00280010", ("512",))


def test_sequence_keys_have_the_path_of_their_item() -> None:
    item = dataset.element(0x00400007, "LO", b"Head")
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item
    asked = find_identifier(identifier((0x00400275, "SQ", item)), EXPLICIT, "study")
    assert asked.query.keys == (Key("00400275.00400007", ("Head",)),)
    assert asked.tags == (0x00400275,)


def test_private_keys_need_their_creator() -> None:
    creator = (0x00090010, "LO", b"ACME ")
    assert keys(creator, (0x00091001, "LO", b"x ")) == (Key("0009,ACME,01", ("x",)),)
    asked = find_identifier(identifier((0x00091001, "LO", b"x ")), EXPLICIT, "study")
    assert asked.query.keys == () and asked.unsupported


def test_keys_below_the_level_are_matched_and_not_answered_which_is_said() -> None:
    asked = find_identifier(identifier((0x00200013, "IS", b"5 ")), EXPLICIT, "study")
    assert asked.query.keys == (Key("00200013", ("5",)),) and asked.unsupported
    asked = find_identifier(identifier((0x00200013, "IS", b"")), EXPLICIT, "study")
    assert asked.query.keys == () and asked.unsupported


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",
        b"",
        identifier(level=b"PATIENT"),
        identifier((0x0020000D, "UI", b"x ")),
        identifier((0x00100010, "PN", b"*a" * 20_000)),
        identifier((0x00100010, "PN", b"*a" * 17)),
        identifier((0x00101010, "UL", b"\1\2\3\4\5\6")),
        b"".join(
            dataset.element(0x00080052 if n == 0x52 else 0x00080000 + n, "CS", b"") for n in range(1, KEYS_MAX + 3)
        ),
        identifier((0x00080018, "UI", b""), level=b"IMAGE"),
        identifier((0x0020000D, "UI", b"1.*\0"), level=b"SERIES"),
    ],
)
def test_what_cannot_be_asked_is_refused_without_its_value(data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        find_identifier(data, EXPLICIT, "study")
    assert "*a" not in str(refused.value) and len(str(refused.value)) <= 64


def test_every_cut_is_a_query_or_a_refusal() -> None:
    whole = identifier((0x00100010, "PN", b"DOE*"), (0x0020000D, "UI", b"1.2\0"))
    for cut in range(len(whole)):
        with contextlib.suppress(Refused):
            find_identifier(whole[:cut], EXPLICIT, "study")


def test_a_move_takes_unique_keys_alone() -> None:
    data = identifier((0x0020000D, "UI", b"1.2\\1.3\0"), (0x00100010, "PN", b"DOE "))
    query = move_identifier(data, EXPLICIT, "study")
    assert query.level is Level.STUDY
    assert query.keys == (Key("0020000D", ("1.2", "1.3")),)


def nested(tag: int, *elements: bytes) -> tuple[int, str, bytes]:
    body = b"".join(elements)
    return tag, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body


def test_private_keys_in_an_item_have_their_creator_there() -> None:
    creator, key = dataset.element(0x00190010, "LO", b"ACME"), dataset.element(0x00191001, "LO", b"x ")
    asked = find_identifier(identifier(nested(0x00400275, creator, key)), EXPLICIT, "study")
    assert asked.query.keys == (Key("00400275.0019,ACME,01", ("x",)),)
    outside = identifier((0x00190010, "LO", b"ACME"), nested(0x00400275, key))
    assert find_identifier(outside, EXPLICIT, "study").unsupported


def test_relational_queries_need_no_upper_keys_when_that_was_agreed() -> None:
    data = identifier((0x00080018, "UI", b""), (0x00100020, "LO", b"P1"), level=b"IMAGE")
    with pytest.raises(Refused):
        find_identifier(data, EXPLICIT, "study")
    asked = find_identifier(data, EXPLICIT, "study", options=QueryOptions(relational=True))
    assert asked.query.level is Level.INSTANCE and asked.query.keys == (Key("00100020", ("P1",)),)


def test_what_was_agreed_is_in_the_query() -> None:
    data = identifier((0x00080020, "DA", b"20240101"), (0x00080201, "SH", b"+0100 "))
    plain = find_identifier(data, EXPLICIT, "study").query
    assert (plain.fuzzy, plain.combined_date_time, plain.zone) == (False, False, "")
    agreed = QueryOptions(combined_date_time=True, fuzzy=True, zone=True)
    asked = find_identifier(data, EXPLICIT, "study", options=agreed).query
    assert (asked.fuzzy, asked.combined_date_time, asked.zone) == (True, True, "+0100")
    assert asked.keys == plain.keys == (Key("00080020", ("20240101",)),)


def test_counts_are_asked_for_by_name_and_matched_where_they_are_kept() -> None:
    counts = ((0x00201200, "IS", b""), (0x00201208, "IS", b""))
    asked = find_identifier(identifier(*counts), EXPLICIT, "study")
    assert asked.query.keys == (Key("00201200"), Key("00201208")) and not asked.unsupported
    asked = find_identifier(identifier((0x00201200, "IS", b"3 "), (0x00201208, "IS", b"4 ")), EXPLICIT, "study")
    assert asked.query.keys == (Key("00201200"), Key("00201208", ("4",))) and asked.unsupported


def test_bytes_are_not_matched_and_that_is_said() -> None:
    asked = find_identifier(identifier((0x00281201, "OW", b"\0\1")), EXPLICIT, "study")
    assert asked.query.keys == () and asked.unsupported
    assert not find_identifier(identifier((0x00281201, "OW", b"")), EXPLICIT, "study").unsupported
