"""DICOM JSON (PS3.18 F) of a stored header: UTF-8, one line, keys ascending, bulk left out as in the header."""

from collections.abc import Sequence
from typing import Final

from typing_extensions import Buffer

INLINE_BYTES_MAX: Final[int]  # a longer binary value of ``metadata_json`` is a link

def header_json(header: Buffer) -> bytes:
    """One JSON object of the whole header (Explicit VR LE, see ``native.dataset``).

    Always ``vr``; no ``Value`` for empty ones, ``null`` for an empty one among several; person names as component groups; IS
    and DS as numbers when they are plain decimal numbers, else as strings; numbers that JSON cannot say (NaN) as strings;
    OB, OW, UN and the like as InlineBinary; Specific Character Set says ISO_IR 192. Raises ValueError on an unsound header.
    """

def project_json(header: Buffer, tags: Sequence[int]) -> bytes:
    """The same, of those top-level attributes of ``tags`` that the header has. ``tags`` may come in any order."""

def metadata_json(
    dataset: Buffer,
    transfer_syntax_uid: str,
    snippets: Sequence[tuple[int, bytes]],
    bulk_url: bytes = b"",
    character_set: bytes = b"",
) -> bytes:
    """The same of a whole data set in its transfer syntax (not a deflated one). ``snippets``: tag and ``"GGGGEEEE":{...}``, tags
    ascending, put among the attributes of the root, or in place of them. With ``bulk_url`` long values, and pixels always, are a
    BulkDataURI: the URL, then ``/SEQUENCE/NUMBER`` for each item on the way (from 1), then ``/TAG``. ``character_set``: the one
    of a data set that names none. Raises ValueError on an unsound data set.
    """
