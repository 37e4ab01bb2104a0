"""What to give for what is asked: media types and transfer syntaxes (PS3.18 8.7, RFC 9110 12.5.1). Pure.

A handler lists what it can give, the best first, and learns which one to give. A client's preference (q) decides;
where it has none, our order does, which puts what is stored first. The query's ``accept`` replaces the header
(PS3.18 8.3.3.1).
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from protocols.web.forms.media_types import MediaType, media_types_of

RANGES_COUNT_MAX: Final = 64  # a viewer that knows every syntax sends a dozen, in 600 characters
ASKED_CHARACTERS_MAX: Final = 8192
MULTIPART: Final = "multipart/related"


class Offer(msgspec.Struct, frozen=True):
    """Something that can be given.

    ``is_multipart``: as parts of ``multipart/related``, else alone. ``transfer_syntax_uid`` empty: the media type has
    none. ``is_default``: may be given to those who name no transfer syntax.
    """

    media_type: str
    transfer_syntax_uid: str = ""
    is_multipart: bool = False
    is_default: bool = True


class Range(msgspec.Struct, frozen=True):
    """One member of an Accept list. ``transfer_syntax_uid`` empty: none was named; ``*``: any."""

    media_type: str
    transfer_syntax_uid: str
    is_multipart: bool | None  # None: either
    quality: float

    def weight(self, offer: Offer) -> int:
        """How closely this names the offer; 0: not at all."""
        if self.is_multipart is not None and self.is_multipart != offer.is_multipart:
            return 0
        if self.transfer_syntax_uid not in ("", "*", offer.transfer_syntax_uid):
            return 0
        if not self.transfer_syntax_uid and not offer.is_default:
            return 0
        closeness = _closeness(self.media_type, offer.media_type) or self._is_any_syntax_of(offer)
        exact_syntax = self.transfer_syntax_uid not in ("", "*")
        return 4 * closeness + 2 * exact_syntax + (self.is_multipart is not None) if closeness else 0

    def _is_any_syntax_of(self, offer: Offer) -> bool:
        """Viewers ask for ``application/octet-stream`` in any syntax and mean the frame as it is stored (O07)."""
        named = self.media_type == "application/octet-stream" and self.transfer_syntax_uid == "*"
        return named and offer.media_type.startswith(("image/", "video/"))


def choose(offers: Sequence[Offer], asked: Iterable[str]) -> Offer | None:
    """The offer to give for the Accept values asked (none of them: the first); None: nothing fits (406)."""
    text = ", ".join(filter(None, asked))[:ASKED_CHARACTERS_MAX]
    if not text.strip():
        return next((offer for offer in offers if offer.is_default), None)
    best, best_quality = None, 0.0
    ranges = _ranges(text)
    for offer in offers:
        quality = _quality(ranges, offer)
        if quality > best_quality:
            best, best_quality = offer, quality
    return best


def _quality(ranges: Sequence[Range], offer: Offer) -> float:
    """Of the ranges that name the offer, the closest one says how much it is wanted."""
    closest, quality = 0, 0.0
    for one in ranges:
        weight = one.weight(offer)
        if weight > closest or (weight and weight == closest and one.quality > quality):
            closest, quality = weight, one.quality
    return quality


def _closeness(range_name: str, name: str) -> int:
    if range_name == name:
        return 3
    if range_name == "*/*":
        return 1
    return 2 if range_name.endswith("/*") and name.startswith(range_name[:-1]) else 0


@lru_cache(maxsize=256)
def _ranges(text: str) -> tuple[Range, ...]:
    return tuple(_range(one) for one in media_types_of(text, RANGES_COUNT_MAX))


def _range(asked: MediaType) -> Range:
    parameters = asked.parameters
    syntax = parameters.get("transfer-syntax", "").strip()
    quality = _quality_of(parameters.get("q", ""))
    if asked.name in (MULTIPART, "multipart/*"):
        inner = parameters.get("type", "").strip().lower() or "*/*"
        return Range("*/*" if inner == "*" else inner, syntax, True, quality)
    return Range(asked.name, syntax, None if asked.name == "*/*" else False, quality)


def _quality_of(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text))) if text else 1.0
    except ValueError:
        return 1.0
