"""Whole objects from one plain syntax to another, from memory and from files, in flat memory."""

import io
import os
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import pydicom
import pytest
import trio

from engine.model import FileRange
from native.canonical import canonical, canonical_head, read_meta
from native.dataset import describe
from protocols.codecs.syntaxes import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, JPEG_BASELINE, Codecs
from protocols.transcode import Transcoder, TranscodeSettings, Untranscodable
from tests.native.real_files import FOLDER

SMALL = TranscodeSettings(held_bytes_max=10_000, piece_bytes=4096)
NAMES = ("CT_small.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "reportsi.dcm")
TARGETS = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED)


def stored(name: str) -> tuple[bytes, str]:
    """A data set and its syntax."""
    file = (FOLDER / name).read_bytes()
    syntax, offset = read_meta(file)
    return file[offset:], syntax


def opened(settings: TranscodeSettings, source: FileRange | bytes, offset: int, syntax: str, target: str) -> bytes:
    async def run() -> bytes:
        async with (
            Transcoder(settings, Codecs()) as transcoder,
            transcoder.open(source, offset, syntax, target) as sent,
        ):
            assert sent.transfer_syntax_uid == target
            if isinstance(sent.source, bytes):
                return sent.source[sent.dataset_offset :]
            found = os.pread(sent.source.fd, sent.source.length, sent.source.offset)
            assert len(found) == sent.source.length
            return found[sent.dataset_offset :]

    return trio.run(run)


def digest(dataset: bytes, syntax: str) -> bytes:
    return describe(canonical_head("1.2", "1.2", syntax) + dataset).content_digest


@pytest.mark.parametrize("settings", [TranscodeSettings(), SMALL], ids=["memory", "file"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_content_is_kept(name: str, target: str, settings: TranscodeSettings, tmp_path: Path) -> None:
    dataset, syntax = stored(name)
    from_memory = opened(settings, b"head" + dataset, 4, syntax, target)
    assert digest(from_memory, target) == digest(dataset, syntax)
    (tmp_path / "object").write_bytes(bytes(5000) + b"head" + dataset + b"behind")
    with (tmp_path / "object").open("rb") as file:
        assert opened(settings, FileRange(file.fileno(), 5000, 4 + len(dataset)), 4, syntax, target) == from_memory


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_syntax_is_sent_as_it_is(name: str) -> None:
    dataset, syntax = stored(name)
    assert opened(SMALL, dataset, 0, syntax, syntax) == dataset

    async def streamed() -> bytes:
        transcoder = Transcoder(SMALL, Codecs())
        return b"".join([piece async for piece in transcoder.stream(b"head" + dataset, 4, syntax, syntax)])

    assert trio.run(streamed) == dataset


def test_deflated_is_even_and_read_by_pydicom() -> None:
    for name in NAMES:
        dataset, syntax = stored(name)
        made = opened(TranscodeSettings(), dataset, 0, syntax, DEFLATED)
        if syntax != DEFLATED:
            assert len(made) % 2 == 0
        ours = pydicom.dcmread(io.BytesIO(canonical_head("1.2", "1.2", DEFLATED) + made))
        assert ours.SOPInstanceUID == pydicom.dcmread(FOLDER / name).SOPInstanceUID


def reason(dataset: FileRange | bytes, syntax: str, target: str) -> str:
    with pytest.raises(Untranscodable) as caught:
        opened(SMALL, dataset, 0, syntax, target)
    return str(caught.value)


def test_refusals_say_why(tmp_path: Path) -> None:
    dataset, syntax = stored("CT_small.dcm")
    assert "longer than what is there" in reason(dataset[:-1], syntax, IMPLICIT_LITTLE)
    assert "without loss" in reason(dataset, syntax, JPEG_BASELINE)
    assert "filmroom[codecs]" in reason(dataset, JPEG_BASELINE, EXPLICIT_LITTLE)
    assert "inflated" in reason(b"no deflated data", DEFLATED, EXPLICIT_LITTLE)
    assert "cut" in reason(stored("image_dfl.dcm")[0][:2000], DEFLATED, EXPLICIT_LITTLE)
    (tmp_path / "object").write_bytes(dataset[:-1])
    with (tmp_path / "object").open("rb") as file:
        assert "shorter" in reason(FileRange(file.fileno(), 0, len(dataset)), syntax, IMPLICIT_LITTLE)


def test_h26_a_deflate_bomb_stops_at_the_ceiling() -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    bomb = b"".join([stream.compress(zeros) for _ in range(1024)]) + stream.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "beyond the limit" in reason(bomb, DEFLATED, EXPLICIT_LITTLE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 420 * 1024


FLAT = """
import resource, sys, trio
from engine.model import FileRange
from protocols.transcode import Transcoder
from protocols.codecs.syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE
async def run():
    file = open(sys.argv[1], "rb")
    length = file.seek(0, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = 0
    async for piece in Transcoder().stream(FileRange(file.fileno(), 0, length), 0, EXPLICIT_LITTLE, EXPLICIT_BIG):
        count += len(piece)
    async with Transcoder().open(FileRange(file.fileno(), 0, length), 0, EXPLICIT_LITTLE, EXPLICIT_BIG) as sent:
        assert sent.source.length == count
    print(count == length, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
trio.run(run)
"""


def test_memory_is_flat_whatever_the_size(tmp_path: Path) -> None:
    """200 MB of pixels, sparse: streamed, and held in a file, with less than 48 MB."""
    rows = b"\x28\0\x10\0US\x02\0\x01\x02"
    length = 200 << 20
    with (tmp_path / "object").open("wb") as file:
        file.write(rows + b"\xe0\x7f\x10\0OW\0\0" + length.to_bytes(4, "little"))
        file.truncate(file.tell() + length)
    result = subprocess.run(
        [sys.executable, "-c", FLAT, str(tmp_path / "object")], capture_output=True, text=True, check=True, timeout=120
    )
    same_length, grown_mb = result.stdout.split()
    assert same_length == "True"
    assert int(grown_mb) < 48


def test_canonical_file_of_what_was_made_is_read_by_pydicom() -> None:
    dataset, syntax = stored("CT_small.dcm")
    made = opened(TranscodeSettings(), dataset, 0, syntax, EXPLICIT_BIG)
    file = canonical_head("1.2.840.10008.5.1.4.1.1.2", "1.2", EXPLICIT_BIG) + made
    assert canonical(file)[1] > 0
    assert (pydicom.dcmread(io.BytesIO(file)).pixel_array == pydicom.dcmread(FOLDER / "CT_small.dcm").pixel_array).all()
