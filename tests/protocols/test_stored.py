"""Whether an object is what its key says, asked before another data set is made of it."""

import os
from pathlib import Path

import pytest
import xxhash

from engine.fetch import Fetched
from engine.model import FileRange, Instance
from protocols.stored import PIECE_BYTES, is_sound

DATA = bytes(range(256)) * (PIECE_BYTES // 256) + b"more"


def fetched(source: FileRange | bytes) -> Fetched:
    key = xxhash.xxh3_128_hexdigest(DATA)
    instance = Instance(
        study_uid="1",
        series_uid="2",
        sop_instance_uid="3",
        sop_class_uid="1.2",
        transfer_syntax_uid="1.3",
        key=key,
        size_bytes=len(DATA),
        stamp=1,
        writer="w",
        lsn=1,
    )
    return Fetched(instance, source, 0)


@pytest.mark.parametrize("name", ["sound", "changed", "cut", "unreadable"])
def test_only_what_hashes_to_its_key_is_sound(tmp_path: Path, name: str) -> None:
    """What the disk refuses to give is no error of the association: this object fails, the next is sent."""
    data = {"changed": b"x" + DATA[1:], "cut": DATA[:-1]}.get(name, DATA)
    file = tmp_path / "object"
    file.write_bytes(b"before" + data)
    number = os.open(file, os.O_WRONLY if name == "unreadable" else os.O_RDONLY)
    try:
        assert is_sound(fetched(FileRange(number, 6, len(DATA)))) is (name == "sound")
    finally:
        os.close(number)
    if name != "unreadable":
        assert is_sound(fetched(data)) is (name == "sound")
