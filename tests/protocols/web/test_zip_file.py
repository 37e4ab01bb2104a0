"""ZIP files as they are written, read by Python's zipfile: plain, with descriptors, and past each bound of a ZIP64."""

import io
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from protocols.web.wado import zip_file
from protocols.web.wado.zip_file import ZipFile


def written(members: Sequence[tuple[str, bytes]], *, is_behind: bool) -> bytes:
    file, pieces = ZipFile(), []
    for name, data in members:
        pieces += [file.head(name, len(data), None if is_behind else zlib.crc32(data)), data]
        if is_behind:
            pieces.append(file.tail(zlib.crc32(data)))
    whole = b"".join([*pieces, file.end()])
    assert file.length == len(whole)
    return whole


MEMBERS = [("DICOMDIR", b""), ("DICOM/SE000001/IM000001", b"one" * 100), ("DICOM/SE000001/IM000002", b"two")]


@pytest.mark.parametrize("is_behind", [False, True], ids=["crc before", "crc behind"])
@pytest.mark.parametrize("bytes_max", [0xFFFFFFFF, 250, 2], ids=["plain", "some large", "all large"])
def test_what_is_written_is_read(monkeypatch: pytest.MonkeyPatch, bytes_max: int, *, is_behind: bool) -> None:
    whole = written(MEMBERS, is_behind=is_behind)
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        assert [(one.filename, read.read(one)) for one in read.infolist()] == MEMBERS
        assert read.testzip() is None
    monkeypatch.setattr(zip_file, "BYTES_MAX", bytes_max)
    large = written(MEMBERS, is_behind=is_behind)
    assert len(large) > len(whole) or bytes_max == 0xFFFFFFFF


def test_more_members_than_a_plain_end_can_count(tmp_path: Path) -> None:
    members = [(f"M{number:07d}", b"a") for number in range(65_536)]
    whole = written(members, is_behind=False)
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        assert len(read.infolist()) == 65_536
    if shutil.which("unzip") is not None:
        (tmp_path / "many.zip").write_bytes(whole)
        assert subprocess.run(["unzip", "-tqq", tmp_path / "many.zip"], check=False).returncode == 0


@pytest.mark.parametrize("is_behind", [False, True], ids=["crc before", "crc behind"])
def test_members_past_four_gibibytes(*, is_behind: bool) -> None:
    size = 5 << 30
    file = ZipFile()
    head = file.head("A", size, None if is_behind else 7)
    tail = file.tail(7) if is_behind else b""
    following = file.length
    small = file.head("B", 1, zlib.crc32(b"b")) + b"b"
    end = file.end()
    whole = Sparse(
        [(0, head), (len(head) + size, tail), (following, small), (following + len(small), end)], file.length
    )
    with zipfile.ZipFile(whole) as read:  # type: ignore[arg-type]
        first, second = read.infolist()
        assert (first.file_size, first.compress_size, first.CRC) == (size, size, 7)
        assert second.header_offset == following > size and read.read(second) == b"b"


class Sparse(io.RawIOBase):
    """A file that is zeros but for some stretches."""

    def __init__(self, stretches: Sequence[tuple[int, bytes]], size: int) -> None:
        self._stretches = stretches
        self._size = size
        self._at = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = (0, self._at, self._size)[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        end = self._size if count < 0 else min(self._size, self._at + count)
        piece = bytearray(end - self._at)
        for offset, data in self._stretches:
            for number, value in enumerate(data):
                if self._at <= offset + number < end:
                    piece[offset + number - self._at] = value
        self._at = end
        return bytes(piece)
