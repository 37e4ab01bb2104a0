"""What an archive answers, as a value that can be compared."""

import hashlib

import msgspec

Name = tuple[str, str, str]  # study, series, SOP instance UID


class Snapshot(msgspec.Struct, frozen=True):
    """``instances``: key, count of versions, SHA-256 of the data set. ``rows`` by level, ``counts`` by the status."""

    instances: dict[Name, tuple[str, int, str]]
    rows: dict[str, list[dict[str, str]]]
    counts: tuple[int, int, int]


def digest(file: bytes) -> str:
    """SHA-256 of the data set: what stands behind the file meta information (PS3.10 7.1)."""
    meta_bytes = int.from_bytes(file[140:144], "little")
    return hashlib.sha256(file[144 + meta_bytes :]).hexdigest()
