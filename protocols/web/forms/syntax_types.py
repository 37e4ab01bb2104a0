"""Which media type a transfer syntax has, and what can be given of what is stored (PS3.18 8.7.3). Pure."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from protocols.transcode import ALL_CODECS, Codecs, ways
from protocols.web.forms.accept import Offer, choose
from protocols.web.problems import Problem

DICOM: Final = "application/dicom"
OCTETS: Final = "application/octet-stream"
IMPLICIT, EXPLICIT, DEFLATED, BIG = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))
_J: Final = "1.2.840.10008.1.2.4."
# PS3.18 table 8.7.3-5: of what is not named here, the bytes are given as they are.
_TYPES: Final = {
    **{f"{_J}{end}": "image/jpeg" for end in ("50", "51", "57", "70")},
    **{f"{_J}{end}": "image/jls" for end in ("80", "81")},
    **{f"{_J}{end}": "image/jp2" for end in ("90", "91")},
    **{f"{_J}{end}": "image/jpx" for end in ("92", "93")},
    **{f"{_J}{end}": "image/jphc" for end in ("201", "202", "203")},
    **{f"{_J}{end}": "image/jxl" for end in ("110", "111", "112")},
    **{f"{_J}{end}": "video/mpeg2" for end in ("100", "100.1", "101", "101.1")},
    **{
        f"{_J}{end}": "video/mp4"
        for end in ("102", "102.1", "103", "103.1", "104", "104.1", "105", "105.1", "106", "106.1")
    },
    **{f"{_J}{end}": "video/H265" for end in ("107", "108")},
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
# What a media type means to those who name no transfer syntax with it.
_DEFAULTS: Final = frozenset(
    {f"{_J}70", f"{_J}80", f"{_J}90", f"{_J}92", f"{_J}201", f"{_J}110", "1.2.840.10008.1.2.5"}
)
_PLAIN: Final = frozenset({IMPLICIT, EXPLICIT, DEFLATED})
VIDEO: Final = frozenset(uid for uid, name in _TYPES.items() if name.startswith("video/"))


_OF_MARKERS: Final = frozenset({"image/jpeg", "image/jls", "image/jp2", "image/jpx", "image/jphc"})


def refusal(offered: Callable[[Codecs], Offer | None], codecs: Codecs, otherwise: str) -> Problem:
    """Why there is no offer (406): codecs are missing that would make one, or ``otherwise``."""
    is_missing = bool(codecs.reason) and offered(ALL_CODECS) is not None
    return Problem(406, codecs.reason if is_missing else otherwise)


def type_of(transfer_syntax_uid: str) -> str:
    """The media type of frames in a transfer syntax."""
    return _TYPES.get(transfer_syntax_uid, OCTETS)


def is_native(transfer_syntax_uid: str) -> bool:
    """Whether pixels stand in the data set as they are."""
    return transfer_syntax_uid in _PLAIN or transfer_syntax_uid == BIG


def ends_by_marker(transfer_syntax_uid: str) -> bool:
    """Whether a codestream says itself where it ends."""
    return type_of(transfer_syntax_uid) in _OF_MARKERS


def frame_syntax(stored_uid: str) -> str:
    """What the frames of an object are in by themselves: native ones are little endian whatever the headers say."""
    return EXPLICIT if stored_uid in _PLAIN else stored_uid


def object_syntax(
    stored_uid: str, accepts: Iterable[str], codecs: Codecs, *, is_multipart: bool | None = None
) -> Offer | None:
    """How an object leaves that is stored so; None: not at all (406).

    Implicit VR and Explicit VR Big Endian are not for the web (PS3.18 8.7.3.2): they leave as Explicit VR Little
    Endian, even when any syntax is taken. Who names no syntax gets what cannot be made explicit as it is.
    """
    return _object_syntax(stored_uid, tuple(accepts), codecs, is_multipart)


@lru_cache(maxsize=1024)
def _object_syntax(
    stored_uid: str, accepts: tuple[str, ...], codecs: Codecs, is_multipart: bool | None
) -> Offer | None:
    given = [
        way.transfer_syntax_uid for way in ways(stored_uid, codecs) if way.transfer_syntax_uid not in (IMPLICIT, BIG)
    ]
    default = EXPLICIT if EXPLICIT in given else stored_uid
    forms = (True, False) if is_multipart is None else (is_multipart,)
    return choose([Offer(DICOM, uid, form, uid == default) for form in forms for uid in given], accepts)


def frame_syntax_of(stored_uid: str, accepts: Iterable[str], codecs: Codecs, frames_count: int) -> Offer | None:
    """How frames leave; None: not at all (406). Alone only when there is one."""
    return _frame_syntax_of(stored_uid, tuple(accepts), codecs, frames_count == 1)


@lru_cache(maxsize=1024)
def _frame_syntax_of(stored_uid: str, accepts: tuple[str, ...], codecs: Codecs, is_one: bool) -> Offer | None:
    stored = frame_syntax(stored_uid)
    made = [way.transfer_syntax_uid for way in ways(stored_uid, codecs) if way.transfer_syntax_uid != stored_uid]
    plain = [EXPLICIT] if EXPLICIT in made and stored != EXPLICIT else []
    folded = [uid for uid in made if uid not in {*_PLAIN, BIG, stored}]
    offers: list[Offer] = []
    for form in (True, False) if is_one else (True,):
        if stored != BIG:
            offers.append(Offer(type_of(stored), stored, form, is_default=not plain))
        offers += [Offer(OCTETS, uid, form) for uid in plain]
        if plain and stored in _DEFAULTS:
            offers.append(Offer(type_of(stored), stored, form))
        offers += [Offer(type_of(uid), uid, form, uid in _DEFAULTS) for uid in folded]
    return choose(offers, accepts)
