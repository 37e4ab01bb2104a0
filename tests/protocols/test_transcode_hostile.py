"""Frames that lie, decoders that die, and what is not installed: one object fails with a reason, all else goes on."""

import errno
import os
import random
import signal
from collections.abc import Callable
from typing import Any

import pytest
import trio

from native.canonical import read_meta
from protocols.codecs import codestream, picture
from protocols.codecs.picture import Picture
from protocols.codecs.syntaxes import EXPLICIT_LITTLE, J2K_LOSSLESS, JPEG_BASELINE, JPEG_LS, RLE, Codecs
from protocols.codecs.unreadable import Unreadable
from protocols.transcode import Transcoder, TranscodeSettings, Untranscodable
from protocols.transcode.pool import Pool, Worker
from tests.native.real_files import FOLDER

pytest.importorskip("imagecodecs", reason="pip install 'filmroom[codecs]'")

US = {"rows": picture.ROWS, "columns": picture.COLUMNS, "samples": picture.SAMPLES_PER_PIXEL}
PLAIN_PICTURE = {
    picture.SAMPLES_PER_PIXEL: 1,
    picture.ROWS: 64,
    picture.COLUMNS: 64,
    picture.BITS_ALLOCATED: 16,
    picture.BITS_STORED: 16,
    picture.PIXEL_REPRESENTATION: 1,
}


def element(tag: int, vr: str, value: bytes) -> bytes:
    return picture.element(tag, vr, value, is_implicit=False)


def data_set(
    frames: list[bytes], changes: dict[int, bytes] | None = None, table: bytes = b"", count: bytes = b""
) -> bytes:
    """64 x 64 of 16 bits, with other elements in the place of some."""
    elements = {tag: element(tag, "US", value.to_bytes(2, "little")) for tag, value in PLAIN_PICTURE.items()}
    elements[picture.PHOTOMETRIC_INTERPRETATION] = element(picture.PHOTOMETRIC_INTERPRETATION, "CS", b"MONOCHROME2")
    if count:
        elements[picture.NUMBER_OF_FRAMES] = element(picture.NUMBER_OF_FRAMES, "IS", count)
    elements |= changes or {}
    items = b"".join(
        b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item
        for item in [table, *(frame + b"\0" * (len(frame) % 2) for frame in frames)]
    )
    head = b"".join(elements[tag] for tag in sorted(elements))
    return head + picture.pixel_data_head("OB", 0xFFFFFFFF, is_implicit=False) + items + b"\xfe\xff\xdd\xe0\0\0\0\0"


def frame_of(name: str) -> bytes:
    """The only frame of a file: all that stands between the second item's header and the end."""
    file = (FOLDER / name).read_bytes()
    _, offset = read_meta(file)
    at = file.index(b"\xe0\x7f\x10\x00", offset) + 12
    at += 8 + int.from_bytes(file[at + 4 : at + 8], "little")
    return file[at + 8 : at + 8 + int.from_bytes(file[at + 4 : at + 8], "little")]


J2K_FRAME = frame_of("MR_small_jp2klossless.dcm")
LS_FRAME = frame_of("MR_small_jpeg_ls_lossless.dcm")
RLE_FRAME = frame_of("MR_small_RLE.dcm")
PICTURE = Picture(64, 64, 1, 16, 16, True, False, "MONOCHROME2", 1)


def unfolded(dataset: bytes, stored: str, settings: TranscodeSettings | None = None) -> bytes:
    async def run() -> bytes:
        async with Transcoder(settings) as transcoder:
            return b"".join([part async for part in transcoder.stream(dataset, 0, stored, EXPLICIT_LITTLE)])

    return trio.run(run)


def reason(dataset: bytes, stored: str = J2K_LOSSLESS) -> str:
    with pytest.raises(Untranscodable) as caught:
        unfolded(dataset, stored)
    return str(caught.value)


def number(name: str, value: int) -> dict[int, bytes]:
    return {US[name]: element(US[name], "US", value.to_bytes(2, "little"))}


def test_what_is_sound_is_unfolded() -> None:
    """So that the refusals below are of what was changed."""
    for frame, stored in ((J2K_FRAME, J2K_LOSSLESS), (LS_FRAME, JPEG_LS), (RLE_FRAME, RLE)):
        assert len(unfolded(data_set([frame]), stored)) > 64 * 64 * 2


def test_h33_rows_and_columns_of_another_kind() -> None:
    for value in (b"\xff\xff\xff\xff", b""):
        assert "Rows is missing, or no 16-bit number" in reason(
            data_set([J2K_FRAME], {picture.ROWS: element(picture.ROWS, "UL", value)})
        )
    assert "is 0" in reason(data_set([J2K_FRAME], number("rows", 0)))
    assert "1 or 3 samples" in reason(data_set([J2K_FRAME], number("samples", 0xFFFF)))


@pytest.mark.parametrize(
    "table", [b"\xff\xff\xff\xff", b"\0\0\0\0\0\0\0\0", b"\x08\0\0\0\0\0\0\0", b"\0\0\0\0\1\0\0\0", b"\0"]
)
def test_h36_offset_tables_that_lie(table: bytes) -> None:
    """Two frames are found by their fragments, whatever the table says."""
    dataset = data_set([J2K_FRAME, J2K_FRAME], table=table, count=b"2")
    assert unfolded(dataset, J2K_LOSSLESS)[-16384:-8192] == unfolded(dataset, J2K_LOSSLESS)[-8192:]


def test_frames_in_several_fragments_without_a_table() -> None:
    """Told apart by where a codestream begins; not when that gives another number."""
    pieces = [J2K_FRAME[:1000], J2K_FRAME[1000:], J2K_FRAME[:2000], J2K_FRAME[2000:4000], J2K_FRAME[4000:]]
    assert (
        unfolded(data_set(pieces, count=b"2"), J2K_LOSSLESS)[-8192:]
        == unfolded(data_set([J2K_FRAME]), J2K_LOSSLESS)[-8192:]
    )
    assert "nothing says where the frames begin" in reason(data_set(pieces, count=b"3"))
    assert "nothing says" in reason(data_set([b"\0" * 10, J2K_FRAME, J2K_FRAME], count=b"2"))


@pytest.mark.parametrize("count", [b"2147483647", b"0", b"-1", b"1e9", b"x"])
def test_h37_numbers_of_frames(count: bytes) -> None:
    assert "Number of Frames is no sensible number" in reason(data_set([J2K_FRAME], count=count))


def test_h38_bombs_are_refused_before_they_are_decoded() -> None:
    everything = number("rows", 65535) | number("columns", 65535)
    assert "larger than the 256 MiB" in reason(data_set([J2K_FRAME[:200]], everything))
    # the data set says 64 x 64, the codestream another
    bomb = bytearray(J2K_FRAME)
    at = bomb.index(b"\xff\x51") + 6
    bomb[at : at + 8] = b"\0\0\xff\xff\0\0\xff\xff"
    assert "another size than the data set says" in reason(data_set([bytes(bomb)]))
    bomb = bytearray(LS_FRAME)
    at = bomb.index(b"\xff\xf7") + 5
    bomb[at : at + 4] = b"\xff\xff\xff\xff"
    assert "another size than the data set says" in reason(data_set([bytes(bomb)]), JPEG_LS)
    assert "far larger than its pixels" in reason(data_set([J2K_FRAME + bytes(2 << 20)]))


@pytest.mark.parametrize("count", [3, 1001, 1 << 20])
def test_bytes_that_fill_up_before_a_marker_have_an_end(count: int) -> None:
    """A picture may be made of nothing else; a mebibyte of them took 70 ms of the interpreter."""
    frame = frame_of("SC_rgb_jpeg_dcmtk.dcm")
    filled = frame[:2] + b"\xff" * count + frame[2:]
    if count < codestream.MARKERS_MAX:
        assert codestream.look(JPEG_BASELINE, filled) == codestream.look(JPEG_BASELINE, frame)
    else:
        with pytest.raises(Unreadable):
            codestream.look(JPEG_BASELINE, filled)


def test_h39_rle_headers_that_lie() -> None:
    for head in (b"\x0f\0\0\0" + b"\xff" * 60, b"\x02\0\0\0" + b"\xff" * 60, b"\x02\0\0\0\x40\0\0\0" + b"\xff" * 56):
        assert "segments of an RLE frame" in reason(data_set([head + RLE_FRAME[64:]]), RLE)
    assert "segments" in reason(data_set([RLE_FRAME[:-100]]), RLE)


def test_nested_compressed_pictures_are_refused() -> None:
    icon = data_set([J2K_FRAME])
    item = b"\xfe\xff\x00\xe0" + len(icon).to_bytes(4, "little") + icon
    sequence = b"\x88\0\x00\x02SQ\0\0" + len(item).to_bytes(4, "little") + item
    assert "within a sequence" in reason(data_set([J2K_FRAME], {0x00880200: sequence}))


def test_without_the_extra_the_reason_says_what_to_install() -> None:
    async def run() -> None:
        async with Transcoder(codecs=Codecs()) as transcoder:
            with pytest.raises(Untranscodable, match=r"pip install 'filmroom\[codecs\]'"):
                async with transcoder.open(data_set([J2K_FRAME]), 0, J2K_LOSSLESS, EXPLICIT_LITTLE):
                    pass
            async with transcoder.open(data_set([RLE_FRAME]), 0, RLE, EXPLICIT_LITTLE) as sent:
                assert len(sent.source) > 8192  # type: ignore[arg-type]

    trio.run(run)


def with_pool(settings: TranscodeSettings, run: Callable[[Pool], Any]) -> None:
    async def main() -> None:
        pool = Pool(settings)
        try:
            await run(pool)
        finally:
            await pool.close()

    trio.run(main)


def test_a_decoder_that_dies_or_hangs_is_replaced() -> None:
    async def run(pool: Pool) -> None:
        good = await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME)
        first = pool.idle[0].pid
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(Untranscodable, match="too long"):
            await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME)
        assert await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME) == good
        second = pool.idle[0].pid
        os.kill(second, signal.SIGKILL)
        await pool.idle[0].ended()
        assert await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME) == good
        assert len({first, second, pool.idle[0].pid}) == 3
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)

    with_pool(TranscodeSettings(frame_seconds_max=4.0, workers_max=1), run)


def test_a_bad_frame_does_not_cost_the_worker() -> None:
    async def run(pool: Pool) -> None:
        good = await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME)
        pid = pool.idle[0].pid
        for cut in (1, 100, 1000):
            with pytest.raises(Untranscodable):
                await pool.decode(JPEG_LS, PICTURE, LS_FRAME[:cut])
        assert await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME) == good
        assert pool.idle[0].pid == pid

    with_pool(TranscodeSettings(workers_max=1), run)


def test_processor_time_and_memory_of_a_frame_have_an_end() -> None:
    large = Picture(6000, 6000, 1, 16, 16, False, False, "MONOCHROME2", 1)
    noise = random.Random(1).randbytes(large.frame_bytes)

    async def slow(pool: Pool) -> None:
        """About ten seconds of JPEG 2000."""
        with pytest.raises(Untranscodable, match=r"died|too long"):
            await pool.encode(J2K_LOSSLESS, large, noise)
        assert pool.idle == ()

    with_pool(TranscodeSettings(frame_seconds_max=1.0), slow)

    async def hungry(pool: Pool) -> None:
        with pytest.raises(Untranscodable, match=r"memory|cannot be read"):
            await pool.encode(J2K_LOSSLESS, large, noise)
        assert await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME)

    with_pool(TranscodeSettings(memory_factor=0, memory_bytes_min=32 << 20), hungry)


def test_without_descriptors_one_object_fails_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    async def run(pool: Pool) -> None:
        with monkeypatch.context() as short:
            short.setattr(os, "memfd_create", refuse)
            with pytest.raises(Untranscodable, match="no worker process"):
                await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME)
        assert await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME)

    with_pool(TranscodeSettings(), run)


def test_an_idle_worker_goes_home_and_the_next_job_starts_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(pool: Pool) -> None:
        good = await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME)
        worker = pool.idle[0]
        await worker.ended()
        assert await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME) == good
        assert pool.idle[0].pid != worker.pid

    with_pool(TranscodeSettings(idle_seconds=0.05, workers_max=1), run)
    # one that goes home while the job is on its way: another does it
    monkeypatch.setattr(Worker, "is_alive", True)
    with_pool(TranscodeSettings(idle_seconds=0.05, workers_max=1), run)


def test_h35_mutated_frames() -> None:
    """Refused or unfolded to something of the right size; the pool lives."""
    chance = random.Random(17)
    frames = {J2K_LOSSLESS: J2K_FRAME, JPEG_LS: LS_FRAME, JPEG_BASELINE: frame_of("SC_rgb_jpeg_dcmtk.dcm")}
    colour = Picture(100, 100, 3, 8, 8, False, False, "YBR_FULL", 1)

    async def run(pool: Pool) -> None:
        refused = 0
        for number_ in range(200):
            uid = list(frames)[number_ % 3]
            bent = bytearray(frames[uid])
            for _ in range(chance.randrange(1, 6)):
                bent[chance.randrange(len(bent))] = chance.randrange(256)
            shape = colour if uid == JPEG_BASELINE else PICTURE
            try:
                assert len(await pool.decode(uid, shape, bytes(bent))) == shape.frame_bytes
            except Untranscodable:
                refused += 1
        assert 0 < refused < 200
        assert await pool.decode(J2K_LOSSLESS, PICTURE, J2K_FRAME)

    with_pool(TranscodeSettings(workers_max=1), run)
