"""DICOM JSON (PS3.18 F) of a stored header: UTF-8, one line, keys ascending, bulk left out as in the header."""

from collections.abc import Sequence

from typing_extensions import Buffer

def header_json(header: Buffer) -> bytes:
    """One JSON object of the whole header (Explicit VR LE, see ``native.dataset``).

    Always ``vr``; no ``Value`` for empty ones, ``null`` for an empty one among several; person names as component groups; IS
    and DS as numbers when they are plain decimal numbers, else as strings; numbers that JSON cannot say (NaN) as strings;
    OB, OW, UN and the like as InlineBinary; Specific Character Set says ISO_IR 192. Raises ValueError on an unsound header.
    """

def project_json(header: Buffer, tags: Sequence[int]) -> bytes:
    """The same, of those top-level attributes of ``tags`` that the header has. ``tags`` may come in any order."""
