"""What the archive needs to know of one Part-10 file. Use it from native.dataset."""

from typing_extensions import Buffer

class Description:
    """What the archive needs to know of one Part-10 file."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    dataset_offset: int  # where the data set begins in the file
    header: bytes  # Explicit VR LE, defined lengths, ascending, HEADER_VALUE_BYTES_MAX, no pixel data, no group lengths
    not_indexed: tuple[str, ...]  # paths of what was left out of the header
    content_digest: bytes  # 16 bytes; equal for re-encodings of the same content (see native.digest)
    frames: bytes  # packed frame table, form 1 (see frame_table)

def describe(file: Buffer, is_mapped: bool = False) -> Description:
    """Everything of a Part-10 file in one walk. Raises Malformed.

    is_mapped: ``file`` is a mapped file, and nothing else: its pages are let go when they are read."""
