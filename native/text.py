"""Values as text: by character set (PS3.5 6.1) and by value representation (PS3.5 6.2)."""

import re
from functools import lru_cache
from struct import calcsize, iter_unpack

NUMBERS = {"US": "<H", "SS": "<h", "UL": "<I", "SL": "<i", "FL": "<f", "FD": "<d", "SV": "<q", "UV": "<Q"}
CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
SINGLE = {"": "ascii", "ISO_IR 6": "ascii", "ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8"}
# Specific Character Set (PS3.3 C.12.1.1.2) as a setting may have it: one term, or code extensions, the first left out.
_EXTENDED = r"ISO 2022 IR (?:6|13|87|100|101|109|110|126|127|138|144|148|149|159|166)"
CHARACTER_SET_PATTERN = (
    r"^(?:|ISO_IR (?:6|13|100|101|109|110|126|127|138|144|148|166|192)|GB18030|GBK"
    rf"|{_EXTENDED}|(?:{_EXTENDED})?(?:\\{_EXTENDED})+)$"
)
# Escape sequences are written anew behind ASCII, and so behind whatever parts values (PS3.5 6.1.2.5.3).
_RUNS = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")


def decoded(raw: bytes, vr: str, charset: bytes) -> str:
    """Text of a value; several numbers joined by backslash. What cannot be decoded is replaced, never dropped."""
    if vr in NUMBERS:
        size = calcsize(NUMBERS[vr])
        return "\\".join(f"{number:.9g}" if vr == "FL" else str(number) for (number,) in _whole(NUMBERS[vr], raw, size))
    if vr == "AT":
        return "\\".join(f"{group:04X}{element:04X}" for group, element in _whole("<HH", raw, 4))
    text = decode(raw, charset) if vr in CHARSET_VRS else raw.decode("ascii", "replace")
    return text.rstrip("\0 ")


def searched_numbers(vr: str, raw: bytes) -> list[str]:
    """Values of binary representations (``NUMBERS``, AT) as they are compared with what is asked for."""
    if vr == "AT":
        return [f"{group:04X}{element:04X}" for group, element in _whole("<HH", raw, 4)]
    numbers = _whole(NUMBERS[vr], raw, calcsize(NUMBERS[vr]))
    return [searched_number(number) if vr in ("FL", "FD") else str(number) for (number,) in numbers]


def searched_number(number: float) -> str:
    """Six digits: what is written 0.1 is asked for so, in whatever precision it is stored."""
    return f"{number:g}"


def _whole(form: str, raw: bytes, size: int) -> "list[tuple[float, ...]]":
    return list(iter_unpack(form, raw[: len(raw) - len(raw) % size]))


def decode(raw: bytes, charset: bytes) -> str:
    """Bytes in a Specific Character Set (its value as it stands in the data set). Never raises."""
    name = charset.decode("ascii", "replace").strip("\0 ")
    single = SINGLE.get(name)
    if single is not None:
        try:
            return raw.decode(single)
        except UnicodeDecodeError:
            return raw.decode("latin-1" if single == "ascii" else single, "replace")
    from pydicom.charset import decode_bytes

    try:
        return str(decode_bytes(raw, _encodings(name), {0x5C, 0x5E, 0x3D}))
    except (LookupError, UnicodeError, ValueError):
        return raw.decode("latin-1")


@lru_cache(maxsize=64)
def _encodings(name: str) -> list[str]:
    """Python's names of a Specific Character Set."""
    from pydicom.charset import convert_encodings

    return [str(one) for one in convert_encodings(name.split("\\"))]


def encode(text: str, charset: bytes) -> bytes | None:
    """Text in a Specific Character Set, escape sequences where they are needed; None when the set does not hold it."""
    name = charset.decode("ascii", "replace").strip("\0 ")
    single = SINGLE.get(name)
    if single is not None:
        try:
            return text.encode(single)
        except UnicodeEncodeError:
            return None
    from pydicom.charset import encode_string

    # without code extensions by escapes what pydicom calls iso8859 is ASCII alone
    encodings = ["ascii" if one == "iso8859" else one for one in _encodings(name)]
    if not all(character.isascii() or _holds(character, encodings) for character in set(text)):
        return None
    raw = b"".join(_reset(encode_string(run, encodings), encodings[0]) for run in _RUNS.findall(text))
    return raw if decode(raw, charset) == text else None


def _holds(character: str, encodings: list[str]) -> bool:
    from pydicom.charset import custom_encoders

    for encoding in encodings:
        try:
            encoder = custom_encoders.get(encoding)
            encoder(character, errors="strict") if encoder else character.encode(encoding)
        except UnicodeEncodeError:
            continue
        return True
    return False


def _reset(piece: bytes, first: str) -> bytes:
    """The first character set is active again at the end of a piece (PS3.5 6.1.2.5.3)."""
    at = piece.rfind(b"\x1b")
    if not piece.startswith((b"\x1b$B", b"\x1b$(D"), max(at, 0)):
        return piece
    return piece + (b"\x1b(J" if first == "shift_jis" else b"\x1b(B")
