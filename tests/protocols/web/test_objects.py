"""Objects of a study, a series, an instance over a real socket (C37, C39, C40, O09)."""

from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
import trio
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian

import engine
from engine.model import Instance, Key, Level, Query
from tests.protocols.web.answers import open_objects, parts
from tests.protocols.web.serving import Served, serving, serving_in
from tests.protocols.web.studies import ROOT, file_of, instance

J2K, EXPLICIT, IMPLICIT, JLS, DEFLATED = (f"1.2.840.10008.1.2{end}" for end in (".4.90", ".1", "", ".4.80", ".1.99"))
ANY = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def read(data: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(BytesIO(data))


def url(made: pydicom.Dataset, *below: str) -> str:
    return "/".join(("/studies", made.StudyInstanceUID, *below))


def test_c39_as_stored_in_series_order_with_lengths() -> None:
    made = [instance(1, 1, number, PixelData=bytes(2 * number * 1000), BitsAllocated=16) for number in range(9, 0, -1)]

    async def check(served: Served) -> None:
        for path in ("", f"/series/{ROOT}.1.1"):
            answer = await served.client.get(f"/studies/{ROOT}.1{path}", headers={"Accept": ANY})
            assert answer.status_code == 200 and int(answer.headers["content-length"]) == len(answer.content)
            assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
            got = parts(answer)
            assert [headers["Content-Type"] for headers, _ in got] == [
                f"application/dicom; transfer-syntax={EXPLICIT}"
            ] * 9
            assert [read(data).InstanceNumber for _, data in got] == list(range(1, 10))
            assert sorted(len(read(data).PixelData) for _, data in got) == [2000 * number for number in range(1, 10)]
        one = await served.client.get(f"/studies/{ROOT}.1/series/{ROOT}.1.1/instances/{ROOT}.1.1.3")
        kept = await whole(served.archive, f"{ROOT}.1.1.3")
        assert [data for _, data in parts(one)] == [kept]
        alone = await served.client.get(
            f"/studies/{ROOT}.1/series/{ROOT}.1.1/instances/{ROOT}.1.1.3", headers={"Accept": "application/dicom"}
        )
        assert (
            alone.content == kept and alone.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
        )
        head = await served.client.head(f"/studies/{ROOT}.1", headers={"Accept": ANY})
        assert head.status_code == 200 and head.content == b""

    serving(check, *(file_of(one) for one in made))


async def whole(archive: Any, sop: str) -> bytes:
    """The file as the library gives it."""
    (found,) = [one.file async for one in archive.fetch(SOPInstanceUID=sop)]
    return bytes(found)


def test_c39_what_cannot_be_given_is_406_and_what_is_not_there_404() -> None:
    async def check(served: Served) -> None:
        path = f"/studies/{ROOT}.1"
        for accept in (f"{ANY[:-1]}1.2.3", "image/jpeg", "application/dicom", f"{ANY[:-1]}{IMPLICIT}"):
            refused = await served.client.get(path, headers={"Accept": accept})
            assert refused.status_code == 406, accept
        for missing in (
            f"/studies/{ROOT}.7",
            f"{path}/series/{ROOT}.7",
            f"{path}/series/{ROOT}.1.1/instances/{ROOT}.7",
        ):
            assert (await served.client.get(missing)).status_code == 404
        assert (await served.client.get(f"/studies/{ROOT}.1/series/{ROOT}.1.1/instances/a")).status_code == 400

    serving(check, file_of(instance(1, 1, 1)), file_of(instance(1, 1, 2)))


def test_c39_implicit_and_big_endian_leave_as_explicit_little_endian() -> None:
    names = ("MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small.dcm")
    paths = [Path(str(get_testdata_file(name))) for name in names]
    expected = pydicom.dcmread(paths[2])

    async def check_one(served: Served) -> None:
        for accept in ("", "*/*", ANY, 'multipart/related; type="application/dicom"', "application/dicom"):
            answer = await served.client.get(url(expected), headers={"Accept": accept} if accept else {})
            files = [answer.content] if accept == "application/dicom" else [data for _, data in parts(answer)]
            (got,) = map(read, files)
            assert got.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
            assert (got.pixel_array == expected.pixel_array).all()
            assert got.PatientName == expected.PatientName and got[0x00100010].VR == "PN"

    for path in paths:
        serving(check_one, path)


def test_c39_b05_compressed_objects_unfold_unless_any_syntax_is_taken() -> None:
    path = Path(str(get_testdata_file("JPEG2000.dcm")))
    original = pydicom.dcmread(path)

    async def check(served: Served) -> None:
        (as_stored,) = parts(await served.client.get(url(original), headers={"Accept": ANY}))
        assert read(as_stored[1]).file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
        assert as_stored[1] == await whole(served.archive, original.SOPInstanceUID)
        for accept, syntax in (
            ("*/*", EXPLICIT),
            (f"{ANY[:-1]}{JLS}", JLS),
            (f"application/dicom; transfer-syntax={JLS}", JLS),
        ):
            answer = await served.client.get(url(original), headers={"Accept": accept})
            data = answer.content if accept.startswith("app") else parts(answer)[0][1]
            got = read(data)
            assert got.file_meta.TransferSyntaxUID == syntax
            if syntax == EXPLICIT:
                assert (got.pixel_array == original.pixel_array).all()

    serving(check, path)


def test_what_cannot_be_unfolded_leaves_as_it_is_unless_a_syntax_is_named() -> None:
    made = instance(1, PixelData=bytes(32), Rows=4, Columns=4, BitsAllocated=16, PixelRepresentation=0)
    broken = file_of(made, ExplicitVRLittleEndian)
    dataset = pydicom.dcmread(BytesIO(broken))
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51no codestream"])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.BitsStored, dataset.PixelRepresentation = 1, 8, 8, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    broken = file_of(dataset, J2K)

    async def check(served: Served) -> None:
        (got,) = parts(await served.client.get(f"/studies/{ROOT}.1"))
        assert read(got[1]).file_meta.TransferSyntaxUID == J2K
        named = await served.client.get(f"/studies/{ROOT}.1", headers={"Accept": f"{ANY[:-1]}{EXPLICIT}"})
        assert named.status_code == 406

    serving(check, broken)


def test_tiff_preambles_are_given_back() -> None:
    file = file_of(instance(1))
    preamble = b"II*\x00" + bytes(range(124))

    async def check(served: Served) -> None:
        (got,) = parts(await served.client.get(f"/studies/{ROOT}.1", headers={"Accept": ANY}))
        assert got[1][:132] == preamble + b"DICM"

    serving(check, preamble + file[128:])


async def in_folder(folder: Path, check: Any, *files: bytes) -> None:
    with trio.fail_after(60):
        async with engine.open(str(folder)) as archive:
            for file in files:
                await archive.store(file)
            await archive.status()
        async with engine.open(str(folder)) as archive:
            await serving_in(check, archive)


def object_of(folder: Path, one: Instance) -> Path:
    (path,) = (folder / "archive").rglob(f"{one.key}.dcm")
    return path


async def fails(served: Served, path: str, accept: str) -> None:
    """Refused before anything was sent, or cut: never closed like an answer that is whole."""
    try:
        answer = await served.client.get(path, headers={"Accept": accept})
    except httpx.RemoteProtocolError:
        return
    assert answer.status_code == 500


@pytest.mark.parametrize("size", [20_000, 5_000_000])
def test_nothing_damaged_goes_out_as_sound(tmp_path: Path, size: int) -> None:
    files = [file_of(instance(1, 1, number, PixelData=bytes(size), BitsAllocated=16)) for number in range(1, 4)]

    async def check(served: Served) -> None:
        query = Query(level=Level.STUDY, keys=(Key("0020000D", (f"{ROOT}.1",)),))
        stored = await served.archive.instances(query)
        path = object_of(tmp_path, stored[2])
        data = bytearray(path.read_bytes())
        data[-10] ^= 1
        path.write_bytes(data)
        one = f"/studies/{ROOT}.1/series/{ROOT}.1.1/instances/{ROOT}.1.1.3"
        await fails(served, f"/studies/{ROOT}.1", ANY)
        for accept in ("application/dicom", ANY, f"{ANY[:-1]}{DEFLATED}"):
            await fails(served, one, accept)
        path.unlink()
        await fails(served, f"/studies/{ROOT}.1", ANY)
        await fails(served, one, ANY)
        sound = await served.client.get(one.replace("1.1.3", "1.1.2"), headers={"Accept": ANY})
        assert len(parts(sound)) == 1

    trio.run(in_folder, tmp_path, check, *files)


def test_c40_the_first_byte_comes_before_the_last_object_is_read(tmp_path: Path) -> None:
    """The last object is taken away while a client that has the beginning of the answer waits: it is missed then."""
    files = [file_of(instance(1, 1, number, PixelData=bytes(4_000_000), BitsAllocated=16)) for number in range(1, 33)]

    async def check(served: Served) -> None:
        query = Query(level=Level.STUDY, keys=(Key("0020000D", (f"{ROOT}.1",)),))
        last = object_of(tmp_path, (await served.archive.instances(query))[-1])
        async with served.client.stream("GET", f"/studies/{ROOT}.1", headers={"Accept": ANY}) as answer:
            assert answer.status_code == 200
            pieces = answer.aiter_raw(1 << 16)
            assert b"DICM" in await anext(pieces)
            last.unlink()
            size = 1 << 16
            with pytest.raises(httpx.RemoteProtocolError):
                async for piece in pieces:
                    size += len(piece)
        assert 4_000_000 < size < int(answer.headers["content-length"])

    trio.run(in_folder, tmp_path, check, *files)


def test_c40_a_gone_client_gives_everything_back(tmp_path: Path) -> None:
    files = [file_of(instance(1, 1, number, PixelData=bytes(6_000_000), BitsAllocated=16)) for number in range(1, 9)]

    async def check(served: Served) -> None:
        for _ in range(5):
            stream = await served.connect()
            async with stream:
                await stream.send_all(
                    f"GET /dicomweb/studies/{ROOT}.1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {ANY}\r\n\r\n".encode()
                )
                assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 200")
        while open_objects():
            await trio.lowlevel.checkpoint()

    trio.run(in_folder, tmp_path, check, *files)
