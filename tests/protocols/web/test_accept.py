"""Media types and transfer syntaxes as clients ask for them: one table (C23, C36, O07, O08, O11-O13, B04)."""

import pytest

from protocols.web.forms.accept import Offer, choose
from protocols.web.forms.media_types import media_type_of, media_types_of

EXPLICIT, J2K, JLS, HTJ2K = (f"1.2.840.10008.1.2.{end}" for end in ("1", "4.90", "4.80", "4.201"))
DICOM_JSON, JSON, XML = Offer("application/dicom+json"), Offer("application/json"), Offer("application/dicom+xml")
ROWS = (DICOM_JSON, JSON, Offer("application/dicom+xml", is_multipart=True), XML)
# A JPEG 2000 frame: as stored, else unfolded; in parts or alone.
STORED = Offer("image/jp2", J2K, True, is_default=False)
RAW = Offer("application/octet-stream", EXPLICIT, True)
FRAME = (STORED, RAW, Offer("image/jp2", J2K, is_default=False), Offer("application/octet-stream", EXPLICIT))
OBJECT = (
    Offer("application/dicom", J2K, True, is_default=False),
    Offer("application/dicom", EXPLICIT, True),
    Offer("application/dicom", J2K, is_default=False),
    Offer("application/dicom", EXPLICIT),
)
RENDERED = (Offer("image/jpeg"), Offer("image/png"))
PDF = (Offer("application/pdf"),)
SLIDES = ", ".join(
    f'multipart/related; type="{name}"; transfer-syntax={syntax}'
    for name, syntax in [
        ("image/jls", JLS),
        ("image/jls", "1.2.840.10008.1.2.4.81"),
        ("image/jp2", J2K),
        ("image/jp2", "1.2.840.10008.1.2.4.91"),
        ("application/octet-stream", "*"),
        ("image/jpeg", "1.2.840.10008.1.2.4.50"),
    ]
)

TABLE = [
    # what can be given, what is asked, which offer it is (None: 406)
    (ROWS, [""], DICOM_JSON),  # C23: nothing said
    (ROWS, [], DICOM_JSON),
    (ROWS, ["*/*"], DICOM_JSON),
    (ROWS, ["application/dicom+json, application/json"], DICOM_JSON),
    (ROWS, ["application/json"], JSON),
    (ROWS, ["application/dicom+json, multipart/related; type=application/octet-stream"], DICOM_JSON),  # C23
    (ROWS, ["application/dicom+json;charset=utf-8"], DICOM_JSON),
    (ROWS, ["APPLICATION/DICOM+JSON"], DICOM_JSON),
    (ROWS, ["application/dicom+xml"], XML),
    (ROWS, ['multipart/related; type="application/dicom+xml"'], ROWS[2]),
    (ROWS, ["application/dicom+xml;q=0.5, application/json;q=0.4"], XML),
    (ROWS, ["application/dicom+json;q=0, */*;q=0.1"], JSON),
    (ROWS, ["application/*"], DICOM_JSON),
    (ROWS, ["text/html"], None),
    (ROWS, ["text/html, */*;q=0.8"], DICOM_JSON),
    (ROWS, ["nonsense"], None),
    (ROWS, ["nonsense, application/json"], JSON),
    (ROWS, ["", "application/json"], JSON),
    # C36, O07: any syntax, quoted and not, with and without spaces: as stored
    (FRAME, ['multipart/related; type="application/octet-stream"; transfer-syntax=*'], STORED),
    (FRAME, ["multipart/related; type=application/octet-stream; transfer-syntax=*"], STORED),
    (FRAME, ["multipart/related;type=application/octet-stream;transfer-syntax=*"], STORED),
    (FRAME, [f"multipart/related; type=application/octet-stream; transfer-syntax={EXPLICIT}"], RAW),
    (OBJECT, ["multipart/related; type=application/octet-stream; transfer-syntax=*"], None),
    (FRAME, ['multipart/related; type="image/jp2"; transfer-syntax="*"'], STORED),
    (FRAME, ['multipart/related; type="*/*"; transfer-syntax=*'], STORED),
    (FRAME, ['multipart/related; type="*/*"'], RAW),  # B04; no syntax named: the default one
    (FRAME, ["multipart/related; type=*/*"], RAW),
    (FRAME, ["multipart/related"], RAW),
    (FRAME, [""], RAW),
    (FRAME, ["*/*"], RAW),
    (FRAME, ["application/octet-stream"], FRAME[3]),
    (FRAME, ["image/jp2"], None),  # not its default syntax
    (FRAME, ["image/*; transfer-syntax=*"], FRAME[2]),
    (FRAME, [f"image/jp2; transfer-syntax={J2K}"], FRAME[2]),
    (FRAME, [f'multipart/related; type="image/jp2"; transfer-syntax={JLS}'], None),
    (FRAME, [SLIDES], STORED),  # O08: several ranges: what is stored
    (FRAME, [SLIDES.replace("image/jp2", "image/jpx")], STORED),  # by its last but one range
    (FRAME, ['multipart/related; type="application/octet-stream", multipart/related; type="image/jp2"'], RAW),
    # C39, O09
    (OBJECT, ['multipart/related; type="application/dicom"; transfer-syntax=*'], OBJECT[0]),
    (OBJECT, ['multipart/related; type="application/dicom"'], OBJECT[1]),
    (OBJECT, ["application/dicom; transfer-syntax=*"], OBJECT[2]),
    (OBJECT, ["application/dicom"], OBJECT[3]),
    (OBJECT, [f"application/dicom; transfer-syntax={HTJ2K}"], None),
    # O11: a browser's own header; O12: one type
    (PDF, ["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"], PDF[0]),
    (RENDERED, ["image/jpeg"], RENDERED[0]),
    (RENDERED, ["image/png, image/jpeg;q=0.9"], RENDERED[1]),
    (RENDERED, ["image/gif"], None),
]


@pytest.mark.parametrize(("offers", "asked", "chosen"), TABLE)
def test_what_is_given(offers: tuple[Offer, ...], asked: list[str], chosen: Offer | None) -> None:
    assert choose(offers, asked) == chosen


def test_media_types_are_read_as_they_are_written() -> None:
    one = media_type_of('Multipart/Related; TYPE="application/dicom"; boundary="a\\"b, c;d"')
    assert one is not None
    assert (one.name, one.parameters) == ("multipart/related", {"type": "application/dicom", "boundary": 'a"b, c;d'})
    assert media_type_of("multipart/related; type=a/b; boundary==x=") is not None
    for text in ("", "text", "text/", "a/b c/d", 'a/b; c="', "a/b, c/d"):
        assert media_type_of(text) is None, text
    assert [one.name for one in media_types_of('a/b;x="1,2",, ;, c/d; q=0.1 ,e', 9)] == ["a/b", "c/d"]


def test_a_list_without_end_is_cut() -> None:
    assert choose(RENDERED, [", ".join(["text/x"] * 65 + ["image/png"])]) is None
    assert choose(RENDERED, ["," * 8190 + "image/png"]) is None
    assert choose(RENDERED, ["," * 8000 + "image/png"]) == RENDERED[1]
