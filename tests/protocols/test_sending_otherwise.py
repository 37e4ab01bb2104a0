"""What a peer does not take as it is stored is sent in another syntax, and nothing of it is lost (C16)."""

from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from engine.ports import Peer
from native import dataset
from protocols.dimse import classes
from tests.protocols.serving import EXPLICIT, Served, serving
from tests.protocols.small_archive import SmallArchive, key_of
from tests.protocols.test_get import getscu, pynetdicom_get
from tests.protocols.test_retrieve import Sink, field, movescu

IMPLICIT = classes.IMPLICIT_LITTLE
PLAIN = "MR_small.dcm"
RLE = "MR_small_RLE.dcm"
JPEG_2000 = "MR_small_jp2klossless.dcm"


def archive_of(*names: str, cut_bytes: int = 0) -> SmallArchive:
    """Real files as they would have been received; ``cut_bytes`` from the end of each are lost."""
    archive = SmallArchive()
    for name in names:
        path = get_testdata_file(name)
        assert path is not None
        raw = Path(str(path)).read_bytes()
        described = dataset.describe(raw)
        data = raw[described.dataset_offset :]
        data = data[: len(data) - cut_bytes]
        archive.add(described.header, data, described.sop_class_uid, described.transfer_syntax_uid)
    return archive


def study_of(archive: SmallArchive) -> str:
    return archive.rows[0].instance.study_uid


def pixels_of(name: str) -> bytes:
    return bytes(dcmread(str(get_testdata_file(name))).pixel_array.tobytes())


async def moved(served: Served, archive: SmallArchive, folder: Path, *accepting: str) -> tuple[str, list[Dataset]]:
    async with Sink(folder, *accepting) as sink:
        served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", sink.port)
        output = await movescu(served, "SINK", "8,52=STUDY", f"20,d={study_of(archive)}")
    return output, [dcmread(path) for path in sorted(folder.iterdir())]  # noqa: ASYNC240


@pytest.mark.parametrize("name", [PLAIN, RLE, JPEG_2000])
def test_C16_the_stored_syntax_goes_first(tmp_path: Path, name: str) -> None:
    """``storescp +xa`` takes everything: what arrives is what was stored, byte for byte."""
    archive = archive_of(name)

    async def check(served: Served) -> None:
        _, [arrived] = await moved(served, archive, tmp_path, "+xa", "+B")
        assert arrived.file_meta.TransferSyntaxUID == archive.rows[0].instance.transfer_syntax_uid

    serving(check, archive)
    [path] = tmp_path.iterdir()
    assert path.read_bytes().endswith(next(iter(archive.datasets.values())))


@pytest.mark.parametrize("name", [PLAIN, RLE, JPEG_2000])
@pytest.mark.parametrize(("accepting", "syntax"), [("+xe", EXPLICIT), ("+xi", IMPLICIT)])
def test_C16_a_peer_that_takes_only_plain_syntaxes_gets_every_pixel(
    tmp_path: Path, name: str, accepting: str, syntax: str
) -> None:
    archive = archive_of(name)

    async def check(served: Served) -> None:
        output, [arrived] = await moved(served, archive, tmp_path, accepting)
        assert field(output, "Completed Suboperations")[-1] == "1", output
        assert arrived.file_meta.TransferSyntaxUID == syntax
        assert arrived.SOPInstanceUID == archive.rows[0].instance.sop_instance_uid
        assert arrived.pixel_array.tobytes() == pixels_of(PLAIN)

    serving(check, archive)


def test_C16_getscu_that_takes_only_plain_syntaxes_gets_every_pixel(tmp_path: Path) -> None:
    archive = archive_of(RLE)

    async def check(served: Served) -> None:
        output = await getscu(served, tmp_path, "8,52=STUDY", f"20,d={study_of(archive)}")
        assert field(output, "Completed Suboperations")[-1] == "1", output

    serving(check, archive)
    [path] = tmp_path.iterdir()
    assert dcmread(path).pixel_array.tobytes() == pixels_of(PLAIN)


def test_C16_pynetdicom_that_takes_only_implicit_gets_every_pixel() -> None:
    from io import BytesIO

    from pydicom.filereader import read_dataset

    archive = archive_of(JPEG_2000)
    sop_class = archive.rows[0].instance.sop_class_uid

    async def check(served: Served) -> None:
        keys: dict[str, object] = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": study_of(archive)}
        model = classes.STUDY_ROOT_GET
        get = partial(pynetdicom_get, served.port, keys, model=model, classes_taken=[sop_class], syntax=IMPLICIT)
        statuses, [received], _ = await trio.to_thread.run_sync(get)
        assert statuses[-1] == 0
        assert bytes(read_dataset(BytesIO(received), True, True).PixelData) == pixels_of(PLAIN)

    serving(check, archive)


def add_another(archive: SmallArchive, name: str, number: int, *, cut_bytes: int = 0) -> str:
    """One more instance of the same series: a file's bytes with another UID, which is returned."""
    other = archive_of(name, cut_bytes=cut_bytes)
    [row], [data] = other.rows, other.datasets.values()
    known = row.instance.sop_instance_uid
    uid = known[:-2] + str(10 + number)
    archive.datasets[uid] = data.replace(known.encode(), uid.encode())
    instance = msgspec.structs.replace(row.instance, sop_instance_uid=uid, key=key_of(archive.datasets[uid]))
    archive.rows.append(msgspec.structs.replace(row, instance=instance))
    return uid


def test_C16_each_goes_its_own_way(tmp_path: Path) -> None:
    """What is sent as it is goes in groups; what is not, never among them."""
    archive = archive_of(PLAIN)
    for number, name in enumerate((PLAIN, RLE, PLAIN, PLAIN, JPEG_2000, PLAIN)):
        add_another(archive, name, number)

    async def check(served: Served) -> None:
        output, arrived = await moved(served, archive, tmp_path, "+xe")
        assert field(output, "Completed Suboperations")[-1] == "7", output
        assert [one.pixel_array.tobytes() == pixels_of(PLAIN) for one in arrived] == [True] * 7

    serving(check, archive)


def test_C16_what_cannot_be_read_fails_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A compressed object whose end is lost, between sound ones of the same study."""
    archive = archive_of(PLAIN)
    uid = add_another(archive, RLE, 1, cut_bytes=3000)
    add_another(archive, PLAIN, 2)

    async def check(served: Served) -> None:
        output, arrived = await moved(served, archive, tmp_path, "+xe")
        assert field(output, "DIMSE Status")[-1].lower().startswith("0xb000"), output
        assert len(arrived) == 2
        assert uid in output

    serving(check, archive)
    assert "instances not sent" in caplog.text
