"""Values as text: by character set (PS3.5 6.1) and by value representation (PS3.5 6.2)."""

from functools import lru_cache
from struct import calcsize, iter_unpack

NUMBERS = {"US": "<H", "SS": "<h", "UL": "<I", "SL": "<i", "FL": "<f", "FD": "<d", "SV": "<q", "UV": "<Q"}
CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
SINGLE = {"": "ascii", "ISO_IR 6": "ascii", "ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8"}


def decoded(raw: bytes, vr: str, charset: bytes) -> str:
    """Text of a value; several numbers joined by backslash. What cannot be decoded is replaced, never dropped."""
    if vr in NUMBERS:
        size = calcsize(NUMBERS[vr])
        return "\\".join(f"{number:.9g}" if vr == "FL" else str(number) for (number,) in _whole(NUMBERS[vr], raw, size))
    if vr == "AT":
        return "\\".join(f"{group:04X}{element:04X}" for group, element in _whole("<HH", raw, 4))
    text = decode(raw, charset) if vr in CHARSET_VRS else raw.decode("ascii", "replace")
    return text.rstrip("\0 ")


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
