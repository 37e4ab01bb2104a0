"""The model of the traffic has the paper's devices, days and bytes; a record in its place is read by its headings."""

from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from bench import traffic, traffic_record
from bench.traffic_files import series_files

HEADINGS = "Timestamp,Device,Modality,Images,Bytes,Other\n"


def test_the_model_has_the_devices_and_bytes_of_the_paper() -> None:
    series = traffic.model(1, 1.0)
    devices = {one.device: one.kind.modality for one in series}
    assert Counter(devices.values()) == {"CT": 37, "DX": 29, "CR": 27, "MR": 21, "MG": 2, "XA": 1}  # Table 3
    assert len({one.device for one in series if one.day == traffic.days()[0]}) == 8
    assert {one.access_device for one in series} == set(range(20))
    assert 1.2e12 < sum(one.size for one in series) < 1.4e12
    hours = Counter(int(one.time[:2]) for one in series)
    assert hours[10] > 5 * hours[3]


@pytest.mark.parametrize("scale", [0.0002, 0.01])
def test_a_scale_is_a_share_of_the_bytes_and_keeps_every_day(scale: float) -> None:
    series = traffic.model(1, scale)
    assert series == traffic.model(1, scale) != traffic.model(2, scale)
    assert sum(one.size for one in series) == pytest.approx(1.32e12 * scale, rel=0.15)
    assert {one.day for one in series if one.time.startswith("08")} == set(traffic.days())
    assert [one.at_seconds for one in series] == sorted(one.at_seconds for one in series)


def test_files_are_what_was_planned() -> None:
    by_kind = {one.kind.modality: one for one in traffic.model(1, 0.0002)}
    for modality, one in by_kind.items():
        made = series_files(one, 1)
        assert [file.data for file in made] == [file.data for file in series_files(one, 1)]
        read = dcmread(BytesIO(made[0].data))
        assert (read.Modality, read.SeriesDate, read.SeriesTime) == (modality, one.day, one.time)
        assert len(made) == one.instances and read.SOPClassUID == made[0].sop_class == one.kind.sop_class
        assert len(read.PixelData) == 2 * one.rows**2 * one.kind.frames


def test_a_record_is_read_by_its_headings(tmp_path: Path) -> None:
    path = tmp_path / "record.csv"
    rows = ["2022-05-02T09:00:00,b,MR,10,1310720,x", "2022-05-02T08:30:00,a,CT,100,52428800,x"]
    path.write_text(HEADINGS + "\n".join(rows))
    first, second = traffic_record.read(path, 1, 1.0)
    assert (first.kind.modality, first.instances, first.rows, first.at_seconds) == ("CT", 100, 512, 0.0)
    assert (second.kind.modality, second.instances, second.at_seconds, second.device) == ("MR", 10, 1800.0, 1)


def test_columns_are_called_as_one_says(tmp_path: Path) -> None:
    path = tmp_path / "record.csv"
    path.write_text("Day;Scanner;Modality;N;Size [MB]\n0.5;b;MR;10;1.31072\n0;a;US;100;52.4288\n")
    columns = traffic_record.columns_of("moment=day*86400,device=Scanner,instances=N,bytes=Size [MB]*1e6")
    first, second = traffic_record.read(path, 1, 1.0, columns)
    assert (first.kind.modality, first.instances, first.rows, first.device) == ("CT", 100, 512, 0)
    assert (second.kind.modality, second.at_seconds, second.size) == ("MR", 43_200.0, 1_310_720)
    with pytest.raises(ValueError, match=r"no column M; it has Day, Scanner, Modality, N, Size \[MB\]: say --columns"):
        traffic_record.read(path, 1, 1.0, columns | {"device": "M"})
    for word in ("bytes", "size=MB", "=MB", "bytes="):
        with pytest.raises(ValueError, match="not NAME=HEADING"):
            traffic_record.columns_of(word)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Device,Modality,Images,Bytes\n", "no column moment .* it has Device, Modality, Images, Bytes: say --columns"),
        (HEADINGS + "soon,a,CT,1,1,x", "line 2: .*soon"),
        (HEADINGS + "0,a,CT,1,1,x\n1,a,CT,,1,x", "line 3: column Images: '' is no number"),
        (HEADINGS + "0,a,CT", "line 2: column Images"),
    ],
)
def test_a_record_that_cannot_be_read_says_why(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "record.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=reason):
        traffic_record.read(path, 1, 1.0)
