"""Generated studies are sound DICOM, the same on every run, and shaped like the paper's."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames

from bench.data import JPEG_2000, Shape, files, in_jpeg_2000, study_day, study_files, write

SMALL = Shape(studies=2, series=2, instances=3, rows=64, seed=7)


def test_files_read_back_with_about_sixty_attributes() -> None:
    for file in files(SMALL):
        dataset = dcmread(BytesIO(file.data))
        assert dataset.SOPInstanceUID == file.sop_instance_uid == dataset.file_meta.MediaStorageSOPInstanceUID
        assert 60 <= len(dataset) <= 90
        assert len(dataset.PixelData) == 2 * dataset.Rows * dataset.Columns
        assert "^" in str(dataset.PatientName)
        assert dataset.get_private_item(0x0009, 0x01, "FILMROOM GENERATOR 1.0").value.startswith("detector")
        assert [e.tag for e in dataset] == sorted(e.tag for e in dataset)


def test_same_seed_same_bytes_and_other_seed_other_bytes() -> None:
    again = [file.data for file in files(SMALL)]
    assert [file.data for file in files(SMALL)] == again
    assert len(set(again)) == SMALL.instance_count
    other = Shape(studies=2, series=2, instances=3, rows=64, seed=8)
    assert not {file.data for file in files(other)} & set(again)


def test_a_study_does_not_depend_on_how_many_there_are() -> None:
    alone = [file.data for file in study_files(Shape(studies=9, series=2, instances=3, rows=64, seed=7), 1)]
    assert alone == [file.data for file in files(SMALL)][6:]


@pytest.mark.parametrize(("stub", "low", "high"), [(False, 204_000, 208_000), (True, 1_500, 4_000)])
def test_sizes_are_those_of_the_paper(stub: bool, low: int, high: int) -> None:
    file = next(files(Shape(stub=stub)))
    assert low <= len(file.data) <= high


def test_written_files_are_finished_once(tmp_path: Path) -> None:
    assert write(SMALL, tmp_path) == SMALL.instance_count
    first = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.dcm")}
    assert len(first) == SMALL.instance_count
    assert write(SMALL, tmp_path) == SMALL.instance_count
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.dcm")} == first


def test_a_compressed_file_differs_in_its_picture_alone() -> None:
    file = next(files(SMALL))
    plain = dcmread(BytesIO(file.data))
    packed = dcmread(BytesIO(in_jpeg_2000(file, SMALL, lambda samples: samples[::-1] + b"odd").data))
    assert packed.file_meta.TransferSyntaxUID == JPEG_2000
    assert list(generate_frames(packed.PixelData, number_of_frames=1)) == [plain.PixelData[::-1] + b"odd\0"]
    del packed.PixelData, plain.PixelData
    assert packed == plain


def test_the_day_of_a_study_is_that_of_its_series_and_the_first_begins_at_8() -> None:
    for study in range(SMALL.studies):
        read = [dcmread(BytesIO(file.data)) for file in study_files(SMALL, study)]
        assert {one.SeriesDate for one in read} == {study_day(SMALL, study)}
        assert {one.SeriesTime[:2] for one in read if one.SeriesNumber == 1} == {"08"}
        assert "08" not in {one.SeriesTime[:2] for one in read if one.SeriesNumber == 2}
