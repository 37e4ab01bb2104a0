"""A record is the same whether its file is in memory or mapped, and mapped ones are read in little memory."""

import mmap
import os
import random
from pathlib import Path

import msgspec

from bench.data import Shape, files
from bench.large import Large
from engine.describe import LET_GO_BYTES, describe
from engine.model import Origin
from native.canonical import canonical
from native.dataset import describe as described
from native.dataset import element
from native.segment import KIND_SPOOLED, Entry

SMALL = next(files(Shape(series=1, instances=1, rows=16, seed=3))).data
CONTEXT = msgspec.msgpack.encode(Origin())


def large_file() -> bytes:
    """Three values of random bytes behind a small header, each more than is let go at a time."""
    head, offset, _ = canonical(SMALL)
    values = [random.Random(seed).randbytes(LET_GO_BYTES + 5000 * seed + 2) for seed in range(1, 4)]
    last = element(0x7FE10010, "LO", b"MINE")
    return (
        head
        + SMALL[offset:]
        + last
        + b"".join(element(0x7FE11000 + number, "OB", value) for number, value in enumerate(values))
    )


def resident() -> int:
    """How much of the mapped file counts as ours, in KiB."""
    text = Path("/proc/self/smaps").read_text()
    block = text[text.index("large.dcm") :]
    return int(block[block.index("Rss:") :].split()[1])


def test_a_mapped_file_is_described_as_one_in_memory_and_let_go(tmp_path: Path) -> None:
    data = large_file()
    (tmp_path / "large.dcm").write_bytes(data)
    entry = Entry(1, 1, KIND_SPOOLED, 0, 1, None, 0, 0, len(data), bytes(16), 0)
    expected = describe(entry, memoryview(data), CONTEXT, "writer")
    fd = os.open(tmp_path / "large.dcm", os.O_RDONLY)
    mapped = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
    os.close(fd)
    assert describe(entry, memoryview(mapped), CONTEXT, "writer") == expected
    assert resident() < LET_GO_BYTES >> 9  # two of the stretches, in KiB
    assert bytes(mapped) == data
    assert describe(entry, memoryview(mapped), CONTEXT, "writer") == expected
    # A view of a part of a file that is mapped for others too is read, and not let go.
    assert describe(entry, memoryview(data + b"\0")[:-1], CONTEXT, "writer") == expected


def test_a_mapped_file_of_many_small_values_is_walked_in_little_memory(tmp_path: Path) -> None:
    data = b"".join(Large(1, 128).pieces())
    (tmp_path / "large.dcm").write_bytes(data)
    with (tmp_path / "large.dcm").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    found = described(mapped, is_mapped=True)
    assert resident() < LET_GO_BYTES >> 9 < len(data) >> 10
    assert found.content_digest == described(data).content_digest
