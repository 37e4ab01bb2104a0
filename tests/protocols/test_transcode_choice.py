"""Which syntax is sent: a table."""

import pytest

from protocols.codecs.syntaxes import (
    ALL_CODECS,
    DEFLATED,
    ENCAPSULATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    EXTRA_MISSING,
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    IMPLICIT_LITTLE,
    J2K,
    J2K_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_FIRST_ORDER,
    JPEG_LS,
    JPEG_LS_NEAR,
    PLAIN,
    RLE,
    Codecs,
)
from protocols.transcode import choose, ways, why_not

NO_EXTRA = Codecs()
MPEG2 = "1.2.840.10008.1.2.4.100"
HEVC = "1.2.840.10008.1.2.4.107"
JPIP = "1.2.840.10008.1.2.4.94"
GE_PRIVATE = "1.2.840.113619.5.2"
LOSSY_ONLY = {JPEG_BASELINE, JPEG_EXTENDED}
ANYTHING = PLAIN | ALL_CODECS.decodes | ALL_CODECS.encodes | {MPEG2, HEVC, JPIP}

TABLE = [
    # stored, offered, sent, how, how without the extra
    (EXPLICIT_LITTLE, {EXPLICIT_LITTLE, IMPLICIT_LITTLE}, EXPLICIT_LITTLE, "stored", "stored"),
    (IMPLICIT_LITTLE, {EXPLICIT_LITTLE, IMPLICIT_LITTLE}, IMPLICIT_LITTLE, "stored", "stored"),
    (IMPLICIT_LITTLE, {EXPLICIT_LITTLE, DEFLATED}, EXPLICIT_LITTLE, "rewrite", "rewrite"),
    (EXPLICIT_LITTLE, {IMPLICIT_LITTLE}, IMPLICIT_LITTLE, "rewrite", "rewrite"),
    (EXPLICIT_LITTLE, {IMPLICIT_LITTLE, DEFLATED, EXPLICIT_BIG}, IMPLICIT_LITTLE, "rewrite", "rewrite"),
    (EXPLICIT_BIG, {IMPLICIT_LITTLE, EXPLICIT_LITTLE}, EXPLICIT_LITTLE, "rewrite", "rewrite"),
    (EXPLICIT_LITTLE, {EXPLICIT_BIG}, EXPLICIT_BIG, "rewrite", "rewrite"),
    (DEFLATED, {IMPLICIT_LITTLE}, IMPLICIT_LITTLE, "rewrite", "rewrite"),
    (IMPLICIT_LITTLE, {DEFLATED}, DEFLATED, "rewrite", "rewrite"),
    # lossless where it is offered, whatever lossy is offered beside it
    (EXPLICIT_LITTLE, {JPEG_BASELINE, IMPLICIT_LITTLE}, IMPLICIT_LITTLE, "rewrite", "rewrite"),
    (EXPLICIT_LITTLE, {JPEG_BASELINE, JPEG_LS}, JPEG_LS, "encode", None),
    (J2K_LOSSLESS, {JPEG_BASELINE, EXPLICIT_LITTLE}, EXPLICIT_LITTLE, "decode", None),
    (J2K_LOSSLESS, {JPEG_BASELINE, RLE}, RLE, "encode", None),
    # only lossy processes are offered: nothing is made lossy
    (EXPLICIT_LITTLE, LOSSY_ONLY, None, None, None),
    (J2K_LOSSLESS, LOSSY_ONLY, None, None, None),
    (RLE, LOSSY_ONLY, None, None, None),
    # a syntax that allows loss is made without
    (EXPLICIT_LITTLE, {J2K}, J2K, "encode", None),
    (EXPLICIT_LITTLE, {HTJ2K, JPEG_LS_NEAR}, HTJ2K, "encode", None),
    # lossy as stored: as it is, or unfolded, or what it became kept without loss; never a second lossy generation
    (JPEG_BASELINE, {JPEG_BASELINE, EXPLICIT_LITTLE}, JPEG_BASELINE, "stored", "stored"),
    (JPEG_BASELINE, {JPEG_EXTENDED, EXPLICIT_LITTLE, IMPLICIT_LITTLE}, EXPLICIT_LITTLE, "decode", None),
    (JPEG_EXTENDED, {JPEG_BASELINE}, None, None, None),
    (JPEG_BASELINE, {J2K_LOSSLESS}, J2K_LOSSLESS, "encode", None),
    (J2K, {IMPLICIT_LITTLE, J2K_LOSSLESS}, IMPLICIT_LITTLE, "decode", None),
    # every kind is unfolded
    (RLE, {IMPLICIT_LITTLE, JPEG_BASELINE}, IMPLICIT_LITTLE, "decode", "decode"),
    (ENCAPSULATED, {EXPLICIT_LITTLE}, EXPLICIT_LITTLE, "decode", "decode"),
    (JPEG_LOSSLESS, {EXPLICIT_LITTLE}, EXPLICIT_LITTLE, "decode", None),
    (JPEG_LOSSLESS_FIRST_ORDER, {IMPLICIT_LITTLE}, IMPLICIT_LITTLE, "decode", None),
    (JPEG_LS, {IMPLICIT_LITTLE}, IMPLICIT_LITTLE, "decode", None),
    (JPEG_LS_NEAR, {IMPLICIT_LITTLE}, IMPLICIT_LITTLE, "decode", None),
    (HTJ2K_LOSSLESS, {IMPLICIT_LITTLE}, IMPLICIT_LITTLE, "decode", None),
    (HTJ2K_LOSSLESS_RPCL, {EXPLICIT_LITTLE, HTJ2K_LOSSLESS}, EXPLICIT_LITTLE, "decode", None),
    (J2K_LOSSLESS, {DEFLATED}, DEFLATED, "decode", None),
    (J2K_LOSSLESS, {EXPLICIT_BIG}, None, None, None),
    # RLE is made without the extra
    (EXPLICIT_BIG, {RLE}, RLE, "encode", "encode"),
    (HTJ2K, {JPEG_LS, RLE}, JPEG_LS, "encode", None),
    # made by nobody here
    (EXPLICIT_LITTLE, {JPEG_LOSSLESS_FIRST_ORDER, HTJ2K_LOSSLESS_RPCL, MPEG2}, None, None, None),
    # as it is or not at all
    (MPEG2, {MPEG2, EXPLICIT_LITTLE}, MPEG2, "stored", "stored"),
    (MPEG2, {EXPLICIT_LITTLE, HEVC}, None, None, None),
    (JPIP, {EXPLICIT_LITTLE}, None, None, None),
    (GE_PRIVATE, {GE_PRIVATE}, GE_PRIVATE, "stored", "stored"),
    (GE_PRIVATE, {IMPLICIT_LITTLE}, None, None, None),
    (EXPLICIT_LITTLE, set(), None, None, None),
]


@pytest.mark.parametrize(("stored", "offered", "sent", "kind", "kind_without"), TABLE)
def test_choice(stored: str, offered: set[str], sent: str | None, kind: str | None, kind_without: str | None) -> None:
    way = choose(stored, offered, ALL_CODECS)
    assert (way and way.transfer_syntax_uid, way and way.kind) == (sent, kind)
    without = choose(stored, offered, NO_EXTRA)
    assert (without and without.kind) == kind_without


@pytest.mark.parametrize("codecs", [ALL_CODECS, NO_EXTRA], ids=["all", "no extra"])
@pytest.mark.parametrize("stored", sorted(ANYTHING))
def test_stored_comes_first_and_nothing_is_made_lossy(stored: str, codecs: Codecs) -> None:
    found = ways(stored, codecs)
    assert found[0].transfer_syntax_uid == stored and found[0].kind == "stored"
    assert len({way.transfer_syntax_uid for way in found}) == len(found)
    assert not LOSSY_ONLY & {way.transfer_syntax_uid for way in found[1:]}


def test_why_not() -> None:
    assert why_not(J2K, NO_EXTRA) == EXTRA_MISSING and "filmroom[codecs]" in EXTRA_MISSING
    assert "without loss" in why_not(J2K, ALL_CODECS) and "without loss" in why_not(EXPLICIT_LITTLE, NO_EXTRA)
    assert "as it is" in why_not(MPEG2, ALL_CODECS)
