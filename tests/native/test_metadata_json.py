"""DICOM JSON of whole data sets: everything of them, in every syntax, long values as links (C33, C34)."""

import json
import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest

from native import dataset, dicomjson
from protocols.transcode.source import Source
from tests.native.oracles_json import differences, kept_files
from tests.native.test_dicomjson import element, refuse, sequence

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"


def shown(data: bytes, syntax: str = EXPLICIT, snippets: list[tuple[int, bytes]] | None = None, **how: bytes) -> Any:
    return json.loads(dicomjson.metadata_json(data, syntax, snippets or [], **how), parse_constant=refuse)


def without_links(model: dict[str, Any], links: list[str]) -> dict[str, Any]:
    """The model without its links, which are gathered."""
    left: dict[str, Any] = {}
    for key, said in model.items():
        if "BulkDataURI" in said:
            links.append(said["BulkDataURI"])
        elif said["vr"] == "SQ":
            left[key] = said | {"Value": [without_links(item, links) for item in said.get("Value", [])]}
        else:
            left[key] = said
    return left


def linked(found: pydicom.Dataset, uri: str) -> pydicom.DataElement:
    """The element that a link names."""
    *way, last = uri.removeprefix("http://a/bulk/").split("/")
    for tag, number in zip(way[::2], way[1::2], strict=True):
        found = found[int(tag, 16)].value[int(number) - 1]
    return found[int(last, 16)]


@pytest.mark.parametrize("path", kept_files(), ids=lambda path: path.name)
def test_real_data_sets_say_all_that_pydicom_says(path: Path) -> None:
    file = path.read_bytes()
    described = dataset.describe(file)
    source = Source(file, described.dataset_offset, described.transfer_syntax_uid)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pydicom.dcmread(path, force=True)
        character_set = dataset.get(described.header, "00080005") or b""
        model = shown(
            bytes(source.view), source.transfer_syntax_uid, bulk_url=b"http://a/bulk", character_set=character_set
        )
        expected = [f"{one.tag:08X}" for one in theirs if one.tag & 0xFFFF and one.tag != 0xFFFCFFFC]
        assert list(model) == expected
        links: list[str] = []
        assert differences(without_links(model, links), theirs) == []
        assert len(links) == len(set(links)) and ("7FE00010" not in model or "http://a/bulk/7FE00010" in links)
        for uri in links:
            assert len(linked(theirs, uri).value) > dicomjson.INLINE_BYTES_MAX or "/7FE0" in uri


def test_c34_long_values_are_links_and_short_ones_are_not() -> None:
    limit = dicomjson.INLINE_BYTES_MAX
    made = b"".join(
        (
            element(0x00089410, "UT", b"t" * 3000),
            sequence(
                0x00400555,
                element(0x00282000, "OB", bytes(limit)),
                b"".join((element(0x00282000, "OB", bytes(limit + 2)), element(0x00283006, "US", bytes(4096)))),
            ),
            sequence(0x00540022, sequence(0x00540220, b"", element(0x54001010, "OW", bytes(limit + 2)))),
            element(0x7FE00010, "OW", b"\1\2"),
        )
    )
    read = shown(made, bulk_url=b"http://a/x")
    assert read["00089410"]["Value"] == ["t" * 3000]
    first, second = read["00400555"]["Value"]
    assert len(first["00282000"]["InlineBinary"]) > limit
    assert second["00282000"] == {"vr": "OB", "BulkDataURI": "http://a/x/00400555/2/00282000"}
    assert len(second["00283006"]["Value"]) == 2048
    assert read["00540022"]["Value"][0]["00540220"]["Value"][1]["54001010"] == {
        "vr": "OW",
        "BulkDataURI": "http://a/x/00540022/1/00540220/2/54001010",
    }
    assert read["7FE00010"] == {"vr": "OW", "BulkDataURI": "http://a/x/7FE00010"}
    plain = shown(made)
    assert "InlineBinary" in plain["7FE00010"] and "BulkDataURI" not in json.dumps(plain)


def test_snippets_stand_among_the_attributes_and_in_their_place() -> None:
    made = element(0x00080060, "CS", b"CT") + sequence(0x00081140, b"") + element(0x00100020, "LO", b"P")
    texts = [
        (tag, b'"%08X":{"vr":"LO","Value":["%d"]}' % (tag, tag))
        for tag in (0x00080005, 0x00081140, 0x00100020, 0x7FE00010)
    ]
    read = shown(made, snippets=texts)
    assert list(read) == ["00080005", "00080060", "00081140", "00100020", "7FE00010"]
    assert read["00081140"]["Value"] == [str(0x00081140)] and read["00100020"]["Value"] == [str(0x00100020)]
    assert shown(b"", snippets=texts[:1]) == {"00080005": {"vr": "LO", "Value": [str(0x00080005)]}}
    nested = shown(sequence(0x00400275, element(0x00080060, "CS", b"MR")), snippets=texts[:2])
    assert list(nested) == ["00080005", "00081140", "00400275"] and list(nested["00400275"]["Value"][0]) == ["00080060"]


def test_big_endian_values_are_turned() -> None:
    head = b"\x00\x28\x00\x10US\x00\x02\x02\x00"
    single = b"\x00\x18\x96\x02FD\x00\x08" + b"\x3f\xf8" + bytes(6)
    words = b"\x00\x28\x12\x01OW\x00\x00\x00\x00\x00\x04\x01\x02\x03\x04"
    read = shown(single + head + words, BIG)
    assert read["00280010"]["Value"] == [512] and read["00189602"]["Value"] == [1.5]
    assert read["00281201"]["InlineBinary"] == "AgEEAw=="


def test_signed_pixels_decide_what_is_us_or_ss() -> None:
    said = b"\x28\x00\x03\x01\x02\x00\x00\x00\x01\x00"
    smallest = b"\x28\x00\x06\x01\x02\x00\x00\x00\xff\xff"
    assert shown(said + smallest, IMPLICIT)["00280106"] == {"vr": "SS", "Value": [-1]}
    assert shown(smallest, IMPLICIT)["00280106"] == {"vr": "US", "Value": [65535]}


def test_every_cut_is_refused_or_read() -> None:
    made = (
        element(0x00080060, "CS", b"CT")
        + sequence(0x00400275, element(0x00400009, "SH", b"S"))
        + element(0x7FE00010, "OW", bytes(8))
    )
    for end in range(len(made)):
        try:
            shown(made[:end], bulk_url=b"http://a")
        except ValueError as error:
            assert str(error) == "not a sound data set"
