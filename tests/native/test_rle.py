"""RLE against a slow reader of ten lines and against pydicom's writer; and against what is no RLE (H39)."""

import random
from itertools import pairwise
from struct import pack, unpack_from

import numpy
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import get_encoder

from native.rle import fold, unfold
from tests.native.real_files import FOLDER


def slowly(frame: bytes, pixels: int, samples: int, sample_bytes: int) -> bytes:
    """PS3.5 G.3.2, as it reads."""
    count = unpack_from("<I", frame)[0]
    starts = [*unpack_from(f"<{count}I", frame, 4), len(frame)]
    planes = []
    for start, end in pairwise(starts):
        plane, at = bytearray(), start
        while at < end and len(plane) < pixels:
            n = frame[at]
            if n < 128:
                plane += frame[at + 1 : at + 2 + n]
                at += 2 + n
            else:
                plane += frame[at + 1 : at + 2] * (257 - n if n > 128 else 0)
                at += 2 if n > 128 else 1
        planes.append(bytes(plane[:pixels]))
    order = [s * sample_bytes + sample_bytes - 1 - b for s in range(samples) for b in range(sample_bytes)]
    return b"".join(bytes(planes[n][pixel] for n in order) for pixel in range(pixels))


RLE_FILES = [*sorted(path.name for path in FOLDER.glob("*rle*.dcm")), "MR_small_RLE.dcm"]


@pytest.mark.parametrize("name", RLE_FILES)
def test_files_of_pydicom(name: str) -> None:
    dataset = pydicom.dcmread(FOLDER / name)
    shape = (dataset.Rows * dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated // 8)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1))))
    unfolded = [unfold(frame, *shape) for frame in frames]
    assert b"".join(unfolded) == dataset.pixel_array.tobytes()
    assert unfolded[0] == slowly(frames[0], *shape)
    for frame in unfolded:
        again = fold(frame, dataset.Rows, dataset.Columns, shape[1], shape[2], False)
        assert unfold(again, *shape) == frame
        assert len(again) <= len(frames[0]) * 1.05 + 64


def pictures() -> list[tuple[int, int, int, int]]:
    return [(1, 1, 1, 1), (3, 5, 1, 2), (2, 127, 3, 1), (2, 128, 1, 1), (4, 129, 3, 2), (1, 300, 1, 4), (7, 256, 3, 4)]


@pytest.mark.parametrize(("rows", "columns", "samples", "sample_bytes"), pictures())
@pytest.mark.parametrize("spread", [1, 2, 256])
def test_round_trip(rows: int, columns: int, samples: int, sample_bytes: int, spread: int) -> None:
    chance = random.Random(f"{rows} {columns} {samples} {sample_bytes} {spread}")
    frame = bytes(chance.randrange(spread) for _ in range(rows * columns * samples * sample_bytes))
    folded = fold(frame, rows, columns, samples, sample_bytes, False)
    assert len(folded) % 2 == 0
    assert unfold(folded, rows * columns, samples, sample_bytes) == frame
    assert slowly(folded, rows * columns, samples, sample_bytes) == frame
    planes = numpy.frombuffer(frame, f"V{sample_bytes}").reshape(rows, columns, samples).transpose(2, 0, 1).tobytes()
    assert fold(planes, rows, columns, samples, sample_bytes, True) == folded


def test_no_run_crosses_a_row_and_pydicom_writes_the_same_size() -> None:
    """PS3.5 G.3.1: each row is encoded by itself."""
    folded = fold(bytes(64 * 3), 3, 64, 1, 1, False)
    assert folded[64:] == bytes([257 - 64, 0]) * 3
    chance = random.Random(5)
    frame = bytes(chance.randrange(3) for _ in range(40 * 50))
    encoder = get_encoder("1.2.840.10008.1.2.5")
    theirs = encoder.encode(
        frame, rows=40, columns=50, samples_per_pixel=1, bits_allocated=8, bits_stored=8, pixel_representation=0,
        number_of_frames=1, photometric_interpretation="MONOCHROME2", encoding_plugin="pydicom",
    )  # fmt: skip
    assert len(fold(frame, 40, 50, 1, 1, False)) <= len(theirs)


def head(*starts: int, count: int | None = None) -> bytes:
    return pack("<16I", len(starts) if count is None else count, *starts, *[0] * (15 - len(starts)))


RUN = bytes([257 - 4, 7])
FOUR = (4, 1, 1)


def test_h39_headers_that_lie() -> None:
    assert unfold(head(64) + RUN, *FOUR) == b"\7\7\7\7"
    for frame in (
        b"",
        head(64)[:63],
        head(64),  # no run
        head(64) + RUN[:1],
        head(64) + bytes([257 - 3, 7]),  # three of four
        head(64) + bytes([3, 1, 2]),  # cut within what is as it is
        head(63) + RUN,
        head(0) + RUN,
        head(67) + RUN,
        head(0xFFFFFFFF) + RUN,
        head(*[0xFFFFFF00] * 15) + RUN,  # 15 segments past the end
        head(64, count=2) + RUN,
        head(64, count=0) + RUN,
        head(64, count=0xFFFFFFFF) + RUN,
        head(64, 66) + RUN + RUN,  # more segments than samples
    ):
        with pytest.raises(ValueError, match="RLE frame"):
            unfold(frame, *FOUR)
    for start in (63, 70, 0xFFFFFFFF):
        with pytest.raises(ValueError, match="segments"):
            unfold(head(64, start) + RUN + RUN, 4, 1, 2)
    with pytest.raises(ValueError, match="segments"):
        unfold(head(66, 64) + RUN + RUN, 4, 1, 2)  # the second before the first
    with pytest.raises(ValueError, match="too many bytes"):
        unfold(head(64) + RUN, 4, 4, 4)


def test_every_cut_and_garbage() -> None:
    chance = random.Random(11)
    frame = bytes(chance.randrange(4) for _ in range(30 * 20 * 2))
    folded = fold(frame, 30, 20, 1, 2, False)
    refused = 0
    for cut in range(len(folded)):
        try:
            assert unfold(folded[:cut], 600, 1, 2) == frame
            assert cut >= len(folded) - 1  # padding
        except ValueError:
            refused += 1
    assert refused >= len(folded) - 1
    for _ in range(3000):
        bent = bytearray(folded)
        for _ in range(chance.randrange(1, 4)):
            bent[chance.randrange(len(bent))] = chance.randrange(256)
        try:
            assert len(unfold(bytes(bent), 600, 1, 2)) == 1200
        except ValueError:
            continue
