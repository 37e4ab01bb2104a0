"""A settled index that is not what was written is folded again, never answered from."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import Corrupt
from engine.index import Index
from engine.index.shard import Shard
from engine.index.soundness import META, check_files
from tests.engine.index.test_index import record


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of an index with two segments, and deletes in the first."""
    index = Index.open(tmp_path)
    for number in (1, 2):
        index.fold([record(1, 1, instance, lsn=number * 10 + instance) for instance in range(number, 4)])
        index.settle()
    index.close()
    (found,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert '"num_deleted_docs"' in (found / META).read_text()
    return found


def test_what_was_written_is_sound_with_what_a_killed_one_left(place: Path) -> None:
    (place / ("f" * 32 + ".store")).write_bytes(b"half of it")
    name = next(path.name for path in place.iterdir() if path.suffix == ".store" and path.name[0] != "f")
    (place / f"{name.partition('.')[0]}.999999.del").write_bytes(b"")
    check_files(place)
    Shard(place)


@pytest.mark.parametrize("change", ["flipped", "cut", "emptied"])
def test_each_file_is_looked_at(place: Path, change: str) -> None:
    names = [path for path in place.iterdir() if re.match(r"[0-9a-f]{32}\.", path.name)]
    assert {path.suffix for path in names} >= {".store", ".term", ".idx", ".fast", ".fieldnorm", ".del"}
    for path in names:
        data = path.read_bytes()
        flipped = bytes([data[0] ^ 1]) + data[1:]
        path.write_bytes({"flipped": flipped, "cut": data[:-1], "emptied": b""}[change])
        with pytest.raises(Corrupt):
            check_files(place)
        path.write_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta.replace('"deletes": {', '"dedetes": {', 1),
        lambda meta: re.sub(r'"max_doc": (\d)', lambda found: f'"max_doc": {int(found[1]) ^ 1}', meta, count=1),
        lambda meta: re.sub(r'docs": (\d)', lambda found: f'docs": {int(found[1]) ^ 1}', meta, count=1),
        lambda meta: re.sub(r'"segment_id": "(.)', lambda found: found[0][:-1] + chr(ord(found[1]) ^ 1), meta, count=1),
        lambda meta: re.sub(r'("num_deleted_docs": \d+,\s*"opstamp": \d*)(\d)',
                            lambda found: f"{found[1]}{int(found[2]) ^ 1}", meta, count=1),
        lambda meta: meta[:-10],
    ],
    ids=["no deletes", "more documents", "more deletes", "another segment", "other deletes", "cut"],
)  # fmt: skip
def test_the_list_of_segments_is_not_believed(place: Path, change: Callable[[str], str]) -> None:
    meta = (place / META).read_text()
    assert change(meta) != meta
    (place / META).write_text(change(meta))
    with pytest.raises(Corrupt):
        Shard(place)
