"""A series as an array: in order of space, as pydicom reads each slice, and in the units that it has."""

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import pixel_array
from pydicom.uid import RLELossless

import engine
import filmroom
from bench.data import Shape, files
from filmroom import blocking
from filmroom.volumes import _arrange
from protocols.transcode import Codecs
from tests.tidy.reading import ROOT

SERIES = "1.2.826.0.1.3680043.10.1338.1.1.1"
SHAPE = Shape(studies=1, series=1, instances=7, rows=16)


@pytest.fixture
def archive() -> Iterator[blocking.Archive]:
    with blocking.open("memory://") as opened:
        yield opened


def slices() -> list[Dataset]:
    """Seven of a CT, the first lowest numbered and highest."""
    return [dcmread(BytesIO(file.data)) for file in files(SHAPE)]


def store_all(archive: blocking.Archive, datasets: list[Dataset]) -> None:
    """In an order of chance."""
    shuffled = datasets.copy()
    Random(7).shuffle(shuffled)
    for dataset in shuffled:
        archive.store(dataset)


def pixels(datasets: list[Dataset]) -> Any:
    return numpy.stack([dataset.pixel_array for dataset in datasets])


def test_slices_lie_in_order_of_space(archive: blocking.Archive) -> None:
    datasets = slices()
    store_all(archive, datasets)
    volume = archive.volume(SERIES)
    upward = datasets[::-1]  # z falls with the number
    assert [one.sop_instance_uid for one in volume.slices] == [dataset.SOPInstanceUID for dataset in upward]
    assert (volume.array.shape, volume.array.dtype) == ((7, 16, 16), numpy.uint16)
    assert numpy.array_equal(volume.array, pixels(upward))
    assert numpy.array_equal(archive.series(SERIES), volume.array)
    assert volume.spacing_mm == (2.0, *datasets[0].PixelSpacing)
    assert volume.origin_mm == (-175.0, -175.0, -14.0)
    assert volume.orientation == (1, 0, 0, 0, 1, 0)
    assert (volume.units, volume.photometric) == ("", "MONOCHROME2")


def test_oblique_slices_follow_their_normal_and_others_their_number(archive: blocking.Archive) -> None:
    datasets = slices()
    for number, dataset in enumerate(datasets):  # sagittal: the normal is x; y and z of chance
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]
        dataset.ImagePositionPatient = [number * 3 % 7 * 1.5, number % 3, -number % 4]
    store_all(archive, datasets)
    volume = archive.volume(SERIES)
    assert [one.position_mm[0] for one in volume.slices if one.position_mm] == [n * 1.5 for n in range(7)]
    assert volume.spacing_mm[0] == 1.5
    datasets[3].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    for dataset in datasets:
        dataset.StudyInstanceUID = "1.2.3"
    store_all(archive, datasets)
    volume = archive.volume(SERIES, study_uid="1.2.3")
    assert [one.instance_number for one in volume.slices] == [1, 2, 3, 4, 5, 6, 7]
    assert (volume.orientation, volume.spacing_mm[0]) == (None, None)
    with pytest.raises(engine.Conflict, match="study_uid"):
        archive.series(SERIES)


def test_slices_of_one_place_follow_their_number(archive: blocking.Archive) -> None:
    datasets = slices()
    for dataset in datasets:
        dataset.ImagePositionPatient = [0, 0, 0]
    store_all(archive, datasets)
    volume = archive.volume(SERIES)
    assert [one.instance_number for one in volume.slices] == [1, 2, 3, 4, 5, 6, 7]
    assert volume.spacing_mm[0] is None


def test_each_slice_is_rescaled_by_its_own_slope(archive: blocking.Archive) -> None:
    datasets = slices()
    for number, dataset in enumerate(datasets, 1):
        dataset.Modality, dataset.Units = "PT", "BQML"
        dataset.RescaleSlope, dataset.RescaleIntercept = number / 4, -number
    store_all(archive, datasets)
    volume = archive.volume(SERIES, rescale=True)
    upward = datasets[::-1]
    expected = [one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept) for one in upward]
    assert volume.array.dtype == numpy.float32
    assert numpy.array_equal(volume.array, numpy.stack(expected).astype("f4"))
    assert volume.units == "BQML"


def test_a_ct_comes_in_hounsfield_units(archive: blocking.Archive) -> None:
    datasets = slices()
    store_all(archive, datasets)
    assert archive.volume(SERIES, rescale=True).units == "HU"
    assert archive.series(SERIES, rescale=True).min() == pixels(datasets).min() - 1024.0


def test_what_stands_above_bits_stored_is_left_out(archive: blocking.Archive) -> None:
    (dataset, *_) = slices()
    plain = dataset.pixel_array
    dataset.PixelData = (plain | 0xF000).tobytes()
    archive.store(dataset)
    assert numpy.array_equal(archive.series(SERIES)[0], plain)
    dataset.PixelRepresentation, dataset.SeriesInstanceUID = 1, "1.2.3"
    dataset.PixelData = (plain | 0x0800).tobytes()
    archive.store(dataset)
    assert numpy.array_equal(archive.series("1.2.3")[0], (plain | 0x0800).astype("i2") - 4096)


def test_many_frames_are_many_slices(archive: blocking.Archive) -> None:
    """Also where instances have more of them than the first, and with a position of each."""
    first, second, *_ = slices()
    for dataset, count in ((first, 2), (second, 5)):
        dataset.NumberOfFrames = count
        frames = [numpy.full((16, 16), n, "u2") for n in range(count)]
        dataset.PixelData = numpy.stack(frames).tobytes()
        dataset.PerFrameFunctionalGroupsSequence = [group(count - n) for n in range(count)]
        dataset.SharedFunctionalGroupsSequence = [Dataset()]
        del dataset.ImagePositionPatient, dataset.RescaleSlope, dataset.RescaleIntercept
        archive.store(dataset)
    volume = archive.volume(SERIES, rescale=True)
    assert volume.array.shape == (7, 16, 16)
    told = [(one.instance_number, one.frame_number) for one in volume.slices]
    assert told == [(1, 2), (2, 5), (1, 1), (2, 4), (2, 3), (2, 2), (2, 1)]
    assert volume.array[:, 0, 0].tolist() == [(frame - 1) * 2.0 + 3 for _, frame in told]


def group(place: int) -> Dataset:
    """The functional groups of a frame."""
    item, position, values = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [0, 0, place]
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 2, 3, "HU"
    item.PlanePositionSequence, item.PixelValueTransformationSequence = [position], [values]
    return item


LOSSY = {"SC_rgb_jpeg_dcmtk.dcm"}
FILES = (
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG-LL.dcm",
    "image_dfl.dcm",
    "liver.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "emri_small_jpeg_ls_lossless.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "rtdose.dcm",
)


@pytest.mark.parametrize("name", FILES)
def test_it_is_what_pydicom_reads(archive: blocking.Archive, name: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom-data has no {name}")
    dataset = dcmread(str(path))
    expected = pixel_array(dataset)  # colours as RGB
    archive.store(str(path))
    volume = archive.volume(dataset.SeriesInstanceUID)
    shape = expected.shape if int(dataset.get("NumberOfFrames", 1)) > 1 else (1, *expected.shape)
    assert volume.array.shape == shape
    in_order = numpy.stack([expected.reshape(shape)[one.frame_number - 1] for one in volume.slices])
    assert volume.array.dtype.itemsize == expected.dtype.itemsize
    difference = numpy.abs(volume.array.astype(float) - in_order).max()
    assert difference <= (2 if name in LOSSY else 0)


def test_a_compressed_series_needs_the_codecs_and_rle_does_not(archive: blocking.Archive) -> None:
    jpeg = dcmread(str(get_testdata_file("MR_small_jpeg_ls_lossless.dcm")))
    archive.store(jpeg)
    datasets = slices()
    for dataset in datasets:
        dataset.compress(RLELossless)
    store_all(archive, datasets)
    archive._images._transcoder.codecs = Codecs()
    with pytest.raises(engine.Invalid, match=r"pip install 'filmroom\[codecs\]'"):
        archive.series(jpeg.SeriesInstanceUID)
    assert numpy.array_equal(archive.series(SERIES), pixels(slices()[::-1]))


def test_what_makes_no_array_is_said(archive: blocking.Archive) -> None:
    first, second, third, fourth, *_ = slices()
    second.Rows, second.PixelData = 8, second.PixelData[:256]
    archive.store(first)
    archive.store(second)
    with pytest.raises(engine.Invalid, match=r"not alike: 16x16 uint16 and 8x16 uint16; .*instance\(\)"):
        archive.series(SERIES)
    third.SeriesInstanceUID = "1.2.3"
    del third.PixelData
    archive.store(third)
    with pytest.raises(engine.Invalid, match="is no picture"):
        archive.series("1.2.3")
    fourth.SeriesInstanceUID = "1.2.4"
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [1, 0, 16], "HU", b"\0\0"
    fourth.ModalityLUTSequence = [table]
    archive.store(fourth)
    assert archive.series("1.2.4").shape == (1, 16, 16)
    with pytest.raises(engine.Invalid, match="modality table"):
        archive.series("1.2.4", rescale=True)
    for uid in ("1.2.5", ""):
        with pytest.raises(engine.Missing):
            archive.series(uid)


def test_altered_bytes_make_no_array(tmp_path: Path) -> None:
    with blocking.open(tmp_path) as archive:
        for file in files(SHAPE):
            archive.store(file.data)
    (path, *_) = (tmp_path / "archive").rglob("*.dcm")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    with blocking.open(tmp_path) as archive, pytest.raises(engine.Corrupt, match="not what was written"):
        archive.series(SERIES)


def test_without_numpy_the_line_that_installs_it_is_named() -> None:
    code = """
import sys
sys.modules["numpy"] = None
import filmroom
from bench.data import Shape, files
with filmroom.blocking.open("memory://") as archive:
    (file,) = files(Shape(series=1, instances=1, rows=16))
    archive.store(file.data)
    try:
        archive.series(file.series_uid)
    except ImportError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert "pip install 'filmroom[codecs]'" in done.stdout, done.stderr


@pytest.mark.parametrize("seed", range(20))
def test_an_array_is_put_in_order_in_place(seed: int) -> None:
    order = list(range(seed))
    Random(seed).shuffle(order)
    array = numpy.arange(seed) * 10
    expected = array[order]
    _arrange(array, order)
    assert array.tolist() == expected.tolist()


def test_the_async_library_has_the_same() -> None:
    import trio

    async def work() -> None:
        async with filmroom.open("memory://") as archive, filmroom.Images(archive) as images:
            (dataset, *_) = slices()
            await images.store(dataset)
            assert (await images.series(SERIES)).shape == (1, 16, 16)
            assert (await images.instance(dataset.SOPInstanceUID)).PatientID == dataset.PatientID

    trio.run(work)


def test_a_data_set_read_from_implicit_is_written_so() -> None:
    from filmroom.datasets import file_of

    dataset = slices()[0]
    buffer = BytesIO()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    dataset.save_as(buffer)
    again = dcmread(BytesIO(buffer.getvalue()))
    again.file_meta = FileMetaDataset()
    assert dcmread(BytesIO(file_of(again))).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
