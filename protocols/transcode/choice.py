"""Which transfer syntax to send an object in (PS3.4 C.4.2 and PS3.18 8.7.3.5 leave it to us): pure, from tables.

The stored syntax comes first; else one that keeps every value; nothing is ever made lossy, so what is lossy already is
sent as it is, unfolded, or kept as it became by a lossless syntax. Of two ways the cheaper comes first.
"""

from collections.abc import Container
from typing import Literal

import msgspec

from protocols.codecs import syntaxes
from protocols.codecs.syntaxes import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Codecs

Kind = Literal["stored", "rewrite", "decode", "encode"]


class Way(msgspec.Struct, frozen=True):
    """One way of sending an object.

    ``stored``: its bytes as they are. ``rewrite``: element headers and byte order change, values do not. ``decode``:
    pixels are unfolded. ``encode``: pixels are folded without loss (after they were unfolded, if need be).
    """

    transfer_syntax_uid: str
    kind: Kind


# Explicit VR first, as it keeps private representations; deflating costs time; big endian is retired.
_PLAIN_ORDER = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, DEFLATED, EXPLICIT_BIG)
# Only for peers that offer nothing plain: those made fastest first, RLE last, as it hardly folds.
_ENCODED_ORDER = (
    syntaxes.JPEG_LS,
    syntaxes.HTJ2K_LOSSLESS,
    syntaxes.J2K_LOSSLESS,
    syntaxes.HTJ2K,
    syntaxes.J2K,
    syntaxes.JPEG_LS_NEAR,
    syntaxes.RLE,
)


def ways(stored: str, codecs: Codecs) -> tuple[Way, ...]:
    """All ways of sending what is stored in a syntax, best first; an unknown one, video and JPIP only as it is."""
    first = Way(stored, "stored")
    if stored in syntaxes.PLAIN:
        plain = [Way(uid, "rewrite") for uid in _PLAIN_ORDER if uid != stored]
    elif stored in codecs.decodes:
        plain = [Way(uid, "decode") for uid in _PLAIN_ORDER if uid != EXPLICIT_BIG]
    else:
        return (first,)
    encoded = [Way(uid, "encode") for uid in _ENCODED_ORDER if uid in codecs.encodes and uid != stored]
    return (first, *plain, *encoded)


def choose(stored: str, offered: Container[str], codecs: Codecs) -> Way | None:
    """The best way that the other side takes; None when there is none: then ``why_not`` says the reason."""
    return next((way for way in ways(stored, codecs) if way.transfer_syntax_uid in offered), None)


def why_not(stored: str, codecs: Codecs) -> str:
    """Why no way was found, in one sentence."""
    if stored in syntaxes.PLAIN or stored in codecs.decodes:
        return "the other side takes no transfer syntax that can be made without loss"
    if stored in syntaxes.ALL_CODECS.decodes:
        return codecs.reason
    return f"what is stored as {stored} can only be sent as it is"
