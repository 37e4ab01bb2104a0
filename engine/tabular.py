"""Matches as people read them: keyword to text."""

from engine.model import Found, Match
from native import dataset

Row = dict[str, str]


def rows(found: Found) -> list[Row]:
    """One mapping a match: keyword (8 hex digits where there is none) to text, several values joined by backslash."""
    return [row(match) for match in found.matches]


def row(match: Match) -> Row:
    """The top-level attributes of one match that have text; sequences and bytes are left out."""
    return texts_of(match.header)


def texts_of(header: bytes) -> Row:
    """The same of a header (Explicit VR Little Endian)."""
    from pydicom.datadict import keyword_for_tag

    paths = [path for path, vr, _, _ in dataset.walk(header, EXPLICIT) if len(path) == 8 and vr not in OPAQUE]
    texts = dataset.values(header, paths)
    return {keyword_for_tag(int(path, 16)) or path: text or "" for path, text in zip(paths, texts, strict=True)}


EXPLICIT = "1.2.840.10008.1.2.1"
OPAQUE = frozenset({"SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN"})
