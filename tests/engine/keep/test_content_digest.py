"""Address and proof of an object, against the tools and the plain sum of chunks."""

import shutil
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3

from engine.keep.content_digest import CHUNK_BYTES, Examination, address, prove


@pytest.mark.parametrize("size", [0, 1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
def test_the_proof_is_the_digests_of_the_chunks(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    chunks = [blake3(content[at : at + CHUNK_BYTES]).digest() for at in range(0, size, CHUNK_BYTES)]
    proof = prove([content[:7], content[7:]])
    if size <= CHUNK_BYTES:
        assert proof.root == blake3(content).digest()
        assert proof.chunks == b""
    else:
        assert proof.chunks == b"".join(chunks)
        assert proof.root == blake3(proof.chunks).digest()
    assert [proof.chunk(number) for number in range(len(chunks))] == chunks
    examination = Examination()
    for at in range(0, size, 2 * CHUNK_BYTES):
        examination.add(content[at : at + 2 * CHUNK_BYTES])
    assert (examination.proof, examination.address, examination.size_bytes) == (proof, address([content]), size)


@pytest.mark.skipif(shutil.which("xxhsum") is None, reason="xxhsum is not installed: apt-get install xxhash")
def test_xxhsum_prints_the_address(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc" * 999)
    printed = subprocess.run(["xxhsum", "-H2", str(tmp_path / "x")], capture_output=True, text=True, check=True)
    assert printed.stdout.split()[0] == address([b"abc" * 333, b"abc" * 666])
