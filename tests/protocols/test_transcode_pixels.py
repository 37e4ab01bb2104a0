"""Compressed objects unfolded and folded: the same samples as pydicom's decoders give, bit for bit."""

import io
import subprocess
from pathlib import Path
from typing import Any

import numpy
import pydicom
import pytest
import trio
from pydicom.dataset import Dataset, FileDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.pixels import pixel_array

from native.canonical import canonical_head, read_meta
from native.dataset import Malformed
from protocols.codecs.syntaxes import (
    BUILT_IN,
    BY_EXTRA,
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    HTJ2K,
    HTJ2K_LOSSLESS,
    IMPLICIT_LITTLE,
    J2K,
    J2K_LOSSLESS,
    JPEG_DCT,
    JPEG_LS,
    JPEG_LS_NEAR,
    RLE,
)
from protocols.transcode import Transcoder, Untranscodable
from tests.native.real_files import FOLDER

pytest.importorskip("imagecodecs", reason="pip install 'filmroom[codecs]'")
pytest.importorskip("gdcm", reason="pip install python-gdcm: the other decoder")

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.7"


def compressed() -> list[Path]:
    """Every file with compressed pixels that pydicom carries, and those of pydicom-data where it is installed."""
    folders = [FOLDER]
    try:
        import data_store

        folders.append(Path(data_store.__file__).parent)
    except ImportError:
        pass
    found = []
    for path in sorted(path for folder in folders for path in folder.rglob("*.dcm")):
        try:
            syntax = read_meta(path.read_bytes())[0]
        except Malformed:
            continue
        if syntax in BUILT_IN | BY_EXTRA and path.name not in NOT_PICTURES:
            found.append(path)
    return found


# No Pixel Data; fewer bytes than elements say
NOT_PICTURES = {"UN_sequence.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm"}
REFUSED = {"JPEG2000-embedded-sequence-delimiter.dcm": "a frame has another size than the data set says"}  # it has
FILES = compressed()
FRAMES_COMPARED = 40  # of more than so many the first two and the last: the other decoders are slow
TARGETS = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, DEFLATED)


def parts(path: Path) -> tuple[bytes, str]:
    file = path.read_bytes()
    syntax, offset = read_meta(file)
    return file[offset:], syntax


async def through(transcoder: Transcoder, dataset: bytes, stored: str, *targets: str) -> bytes:
    """Into one syntax after the other."""
    syntax = stored
    for target in targets:
        dataset = b"".join([part async for part in transcoder.stream(dataset, 0, syntax, target)])
        syntax = target
    return dataset


def transcoded(dataset: bytes, stored: str, *targets: str) -> bytes:
    async def run() -> bytes:
        async with Transcoder() as transcoder:
            return await through(transcoder, dataset, stored, *targets)

    return trio.run(run)


def targets_of(path: Path) -> tuple[str, ...]:
    """Large ones in one syntax only: the pixels are the same."""
    return TARGETS if path.stat().st_size < 50_000 else TARGETS[:1]


@pytest.fixture(scope="module")
def unfolded() -> dict[tuple[str, str], bytes | str]:
    """Every file in every plain syntax, by the same workers; the reason where there is none."""
    made: dict[tuple[str, str], bytes | str] = {}

    async def run() -> None:
        async with Transcoder() as transcoder:
            for path in FILES:
                for target in targets_of(path):
                    try:
                        made[path.name, target] = await through(transcoder, *parts(path), target)
                    except Untranscodable as error:
                        made[path.name, target] = str(error)

    trio.run(run)
    return made


def read(dataset: bytes, syntax: str) -> FileDataset:
    return pydicom.dcmread(io.BytesIO(canonical_head(SOP_CLASS, "1.2", syntax) + dataset))


def expected(path: Path, folder: Path) -> tuple[numpy.ndarray[Any, Any], int]:
    """By pydicom's decoders, in the colours that they convert to, and by how much these may be off. Of 12 bits of JPEG,
    which they cannot read, by DCMTK's."""
    dataset = pydicom.dcmread(path)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in JPEG_DCT and dataset.BitsStored == 12:
        subprocess.run(["dcmdjpeg", str(path), str(folder / "plain")], check=True, capture_output=True)
        return pydicom.dcmread(folder / "plain").pixel_array, 1
    plugin = "pydicom" if syntax == RLE else "gdcm"
    if int(dataset.get("NumberOfFrames") or 1) > FRAMES_COMPARED:
        wanted = [pixel_array(dataset, index=n, decoding_plugin=plugin) for n in (0, 1, dataset.NumberOfFrames - 1)]
        return numpy.stack(wanted), 0
    return pixel_array(dataset, decoding_plugin=plugin, raw=syntax not in JPEG_DCT), 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_unfolded_equals_pydicom(path: Path, unfolded: dict[tuple[str, str], bytes | str], tmp_path: Path) -> None:
    if path.name in REFUSED:
        assert {unfolded[path.name, target] for target in targets_of(path)} == {REFUSED[path.name]}
        return
    theirs, tolerance = expected(path, tmp_path)
    for target in targets_of(path):
        made = unfolded[path.name, target]
        assert isinstance(made, bytes), made
        ours = read(made, target).pixel_array
        if ours.ndim == 4 and len(ours) > FRAMES_COMPARED:
            ours = ours[[0, 1, -1]]
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        assert numpy.abs(ours.astype(int) - theirs.astype(int)).max() <= tolerance
        if not tolerance and ours.size == theirs.size and len(ours.shape) < 4:
            # nor does it need a reader that mends the sign: what is written is what is meant
            assert read(made, target).PixelData[: theirs.nbytes] == theirs.tobytes()


# Gray and colour, signed and not, 8 to 32 bits, one frame and several, odd sizes, a palette; folded already and not
TO_FOLD = (
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_jp2klossless.dcm",
    "examples_palette.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "rtdose.dcm",
)
FOLDED = (RLE, JPEG_LS, JPEG_LS_NEAR, J2K_LOSSLESS, J2K, HTJ2K_LOSSLESS, HTJ2K)
PLUGIN = {RLE: "pydicom", JPEG_LS: "pyjpegls", JPEG_LS_NEAR: "pyjpegls", J2K_LOSSLESS: "gdcm", J2K: "gdcm"}
ABOVE = "bits above those stored"  # pydicom takes them away
TOO_LONG = "rtdose.dcm"  # 32 bits: RLE alone


def made_up(
    samples: numpy.ndarray[Any, Any], photometric: str, bits_stored: int, *, planes: bool = False, vr: str = ""
) -> bytes:
    """A native data set of frames x rows x columns (x 3)."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SOP_CLASS, "1.2"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.3", "1.4"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = samples.shape[:3]
    dataset.SamplesPerPixel = 3 if samples.ndim == 4 else 1
    if samples.ndim == 4:
        dataset.PlanarConfiguration = int(planes)
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated, dataset.BitsStored = samples.itemsize * 8, bits_stored
    dataset.HighBit = bits_stored - 1
    dataset.PixelRepresentation = int(samples.dtype.kind == "i")
    values = samples.transpose(0, 3, 1, 2).tobytes() if planes else samples.tobytes()
    dataset.add_new(0x7FE00010, vr or ("OB" if samples.itemsize == 1 else "OW"), values + b"\0" * (len(values) % 2))
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = False, True
    write_dataset(out, dataset)
    return out.getvalue()


def to_fold() -> dict[str, tuple[bytes, str]]:
    chance = numpy.random.default_rng(3)
    wave = (numpy.sin(numpy.arange(3 * 31 * 17) / 40) * 2000).reshape(3, 31, 17)
    colours = chance.integers(0, 256, (2, 9, 7, 3), numpy.uint8)
    found = {name: parts(FOLDER / name) for name in TO_FOLD}
    native = {
        "signed 12 of 16": made_up(wave.astype("<i2"), "MONOCHROME2", 12),
        "signed 8": made_up((wave / 20).astype("i1"), "MONOCHROME2", 8),
        "unsigned 12 of 16": made_up((wave + 2000).astype("<u2"), "MONOCHROME1", 12),
        ABOVE: made_up((wave + 2000).astype("<u2") + 0x8000, "MONOCHROME2", 12),
        "planes": made_up(colours, "RGB", 8, planes=True),
        "noise YBR_FULL": made_up(colours, "YBR_FULL", 8),
        "one pixel": made_up(chance.integers(0, 256, (1, 1, 1), numpy.uint8), "MONOCHROME2", 8),
        "odd frames": made_up(chance.integers(0, 256, (3, 5, 3), numpy.uint8), "MONOCHROME2", 8),
    }
    words = made_up(chance.integers(0, 256, (3, 5, 3), numpy.uint8), "MONOCHROME2", 8, vr="OW")
    found["odd frames in big endian words"] = transcoded(words, EXPLICIT_LITTLE, EXPLICIT_BIG), EXPLICIT_BIG
    return found | {name: (dataset, EXPLICIT_LITTLE) for name, dataset in native.items()}


@pytest.mark.parametrize("target", FOLDED)
def test_folded_is_read_by_others_and_unfolds_to_the_same(target: str) -> None:
    entries = to_fold()

    async def run() -> None:
        async with Transcoder() as transcoder:
            for name, (dataset, stored) in entries.items():
                if name == TOO_LONG and target != RLE:
                    with pytest.raises(Untranscodable, match="bits"):
                        await through(transcoder, dataset, stored, target)
                    continue
                plain = read(await through(transcoder, dataset, stored, EXPLICIT_LITTLE), EXPLICIT_LITTLE)
                folded = await through(transcoder, dataset, stored, target)
                again = read(await through(transcoder, folded, target, EXPLICIT_LITTLE), EXPLICIT_LITTLE)
                assert (again.pixel_array == plain.pixel_array).all(), name
                assert again.pixel_array.dtype == plain.pixel_array.dtype, name
                assert again.PhotometricInterpretation == plain.PhotometricInterpretation, name
                wanted = plain.PixelData if name == ABOVE else pixel_array(plain, raw=True).tobytes()
                assert again.PixelData[: len(wanted)] == wanted, name
                if target in PLUGIN and name != ABOVE:
                    theirs = pixel_array(read(folded, target), decoding_plugin=PLUGIN[target], raw=True)
                    assert theirs.tobytes() == wanted, name

    trio.run(run)
