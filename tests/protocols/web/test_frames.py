"""Frames over a real socket (C36, C37, C38, O07, O08, O16, H36, H37)."""

from pathlib import Path

import numpy
import pydicom
import pytest
import trio
from dicomweb_client.api import DICOMwebClient
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import UID

import engine
from protocols.web import WebSettings
from tests.protocols.web.answers import open_objects, parts, path_of, with_pixels
from tests.protocols.web.serving import Served, serving, serving_in
from tests.protocols.web.studies import file_of, instance
from tests.protocols.web.test_objects import in_folder

EXPLICIT, DEFLATED, BIG, RLE = (f"1.2.840.10008.1.2{end}" for end in (".1", ".1.99", ".2", ".5"))
JLS, J2K, HTJ2K, JPEG = (f"1.2.840.10008.1.2.4.{end}" for end in ("80", "90", "201", "50"))
OCTETS = "application/octet-stream"
ANY = "multipart/related; type=application/octet-stream; transfer-syntax=*"
RAW = 'multipart/related; type="application/octet-stream"'
EVERY_FILE = sorted({path.name for path in Path(str(get_testdata_file("CT_small.dcm"))).parent.glob("*.dcm")})


def sliced(count: int) -> pydicom.Dataset:
    """Frames of 3 x 5 bytes, odd each."""
    return with_pixels(instance(1), bytes(range(15 * count)), rows=3, columns=5, bits=8, NumberOfFrames=count)


def test_c38_parts_come_in_the_order_asked_without_padding() -> None:
    made = sliced(5)

    async def check(served: Served) -> None:
        answer = await served.client.get(f"{path_of(made)}/frames/3,1,5,1", headers={"Accept": ANY})
        assert answer.status_code == 200 and int(answer.headers["content-length"]) == len(answer.content)
        assert [data for _, data in parts(answer)] == [bytes(range(15 * n - 15, 15 * n)) for n in (3, 1, 5, 1)]
        assert {headers["Content-Type"] for headers, _ in parts(answer)} == {f"{OCTETS}; transfer-syntax={EXPLICIT}"}
        for wrong, statuses in (
            ("0", {400}),
            ("6", {404}),
            ("1,6", {404}),
            ("a", {400}),
            ("-1", {400}),
            ("1,", {400}),
            ("9" * 30, {400}),
        ):
            refused = await served.client.get(f"{path_of(made)}/frames/{wrong}")
            assert refused.status_code in statuses, wrong
        everything = await served.client.get(f"{path_of(made)}/pixeldata")
        assert b"".join(data for _, data in parts(everything)) == bytes(range(75))

    serving(check, file_of(made))


def test_c36_forms_of_accept() -> None:
    made = sliced(2)
    asked = (
        ANY,
        f'{RAW}; transfer-syntax="*"',
        RAW,
        "multipart/related;type=application/octet-stream",
        "*/*",
        "",
        'multipart/related; type="*/*"',
    )

    async def check(served: Served) -> None:
        for accept in asked:
            answer = await served.client.get(f"{path_of(made)}/frames/2", headers={"Accept": accept})
            assert [data for _, data in parts(answer)] == [bytes(range(15, 30))], accept
        alone = await served.client.get(f"{path_of(made)}/frames/2", headers={"Accept": OCTETS})
        assert alone.content == bytes(range(15, 30)) and alone.headers["content-type"].startswith(OCTETS)
        ranged = await served.client.get(f"{path_of(made)}/frames/2", headers={"Accept": OCTETS, "Range": "bytes=3-6"})
        assert (ranged.status_code, ranged.content) == (206, bytes(range(18, 22)))  # O16
        assert ranged.headers["content-range"] == "bytes 3-6/15"
        for refused in ("image/png", f"{RAW}; transfer-syntax=1.2.3"):
            assert (
                await served.client.get(f"{path_of(made)}/frames/1", headers={"Accept": refused})
            ).status_code == 406
        both = await served.client.get(f"{path_of(made)}/frames/1,2", headers={"Accept": OCTETS})
        assert both.status_code == 406

    serving(check, file_of(made))


@pytest.mark.parametrize("syntax", [RLE, JLS, J2K, HTJ2K])
def test_o07_frames_in_the_syntax_asked_are_without_loss(syntax: str) -> None:
    path = Path(str(get_testdata_file("CT_small.dcm")))
    original = pydicom.dcmread(path)
    name = {RLE: "image/dicom-rle", JLS: "image/jls", J2K: "image/jp2", HTJ2K: "image/jphc"}[syntax]

    async def check(served: Served) -> None:
        for accept in (
            f'multipart/related; type="{name}"; transfer-syntax={syntax}',
            f"multipart/related; type={name}",
        ):
            ((headers, data),) = parts(
                await served.client.get(f"{path_of(original)}/frames/1", headers={"Accept": accept})
            )
            assert headers["Content-Type"] == f"{name}; transfer-syntax={syntax}"
            folded = pydicom.dcmread(path)
            folded.PixelData = encapsulate([data])
            folded["PixelData"].VR = "OB"
            folded["PixelData"].is_undefined_length = True
            folded.file_meta.TransferSyntaxUID = UID(syntax)
            if syntax != HTJ2K:
                assert (folded.pixel_array == original.pixel_array).all()
            again = await served.client.get(f"{path_of(original)}/frames/1", headers={"Accept": accept})
            assert parts(again)[0][1] == data

    serving(check, path)


@pytest.mark.parametrize("name", EVERY_FILE)
def test_c36_every_lossless_file_gives_its_pixel_array(name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    try:
        original = pydicom.dcmread(path)
        expected = original.pixel_array
    except Exception as error:  # noqa: BLE001 - what the oracle cannot read says nothing
        pytest.skip(f"{type(error).__name__}")
    if not all(original.get(uid) for uid in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")):
        pytest.skip("no instance")
    if name.startswith("rtdose_expb"):
        pytest.skip("32-bit samples in 16-bit words of big endian: PS3.5 and pydicom differ")
    count = int(original.get("NumberOfFrames", 1) or 1)
    planes = expected.reshape((count, *expected.shape[(1 if count > 1 else 0) :]))

    async def check(served: Served) -> None:
        numbers = ",".join(map(str, range(1, count + 1)))
        answer = await served.client.get(f"{path_of(original)}/frames/{numbers}")
        assert answer.status_code == 200, answer.text
        got = parts(answer)
        assert len(got) == count
        for (headers, data), plane in zip(got, planes, strict=True):
            assert headers["Content-Type"] == f"{OCTETS}; transfer-syntax={EXPLICIT}"
            if original.file_meta.TransferSyntaxUID in (JPEG, "1.2.840.10008.1.2.4.51"):
                continue  # decoders of lossy JPEG differ by a grey level
            assert same(data, plane, original), name
        stored = await served.client.get(f"{path_of(original)}/frames/1", headers={"Accept": ANY})
        assert stored.status_code in (200, 406)

    serving(check, path, seconds=120)


def same(data: bytes, plane: numpy.ndarray, original: pydicom.Dataset) -> bool:
    if original.get("BitsAllocated") == 1:
        bits = numpy.unpackbits(numpy.frombuffer(data, "u1"), bitorder="little")[: plane.size]
        return bool((bits.reshape(plane.shape) == plane).all())
    samples = numpy.frombuffer(data, plane.dtype.newbyteorder("<"))
    if samples.size != plane.size:  # chroma is still halved
        return bool("422" in original.PhotometricInterpretation)
    if plane.ndim == 3 and not (samples.reshape(plane.shape) == plane).all():
        samples = samples.reshape(plane.shape[2], *plane.shape[:2]).transpose(1, 2, 0)
    return bool((samples.reshape(plane.shape) == plane).all())


@pytest.mark.parametrize(
    "name", ["emri_small_jpeg_2k_lossless.dcm", "emri_small_RLE.dcm", "JPEG2000.dcm", "JPGExtended.dcm"]
)
def test_c37_stored_frames_are_codestreams_without_item_tags(name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    original = pydicom.dcmread(path)
    expected = list(
        pydicom.encaps.generate_frames(original.PixelData, number_of_frames=int(original.get("NumberOfFrames", 1)))
    )

    async def check(served: Served) -> None:
        numbers = range(len(expected), 0, -1)
        answer = await served.client.get(
            f"{path_of(original)}/frames/{','.join(map(str, numbers))}", headers={"Accept": ANY}
        )
        got = parts(answer)
        for number, (headers, data) in zip(numbers, got, strict=True):
            assert headers["Content-Type"].endswith(f"transfer-syntax={original.file_meta.TransferSyntaxUID}")
            whole = expected[number - 1]
            assert data in (whole, whole.removesuffix(b"\0")) and b"\xfe\xff\x00\xe0" not in data[:8]

    serving(check, path)


def test_frames_without_a_table_are_told_apart_by_their_codestreams() -> None:
    frames = [b"\xff\xd8\xff\xdb" + bytes([n]) * 50 + b"\xff\xd9" for n in range(3)]
    made = with_pixels(instance(1), b"", rows=4, columns=4, bits=8, NumberOfFrames=3)
    made.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=False)
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True

    async def check(served: Served) -> None:
        answer = await served.client.get(f"{path_of(made)}/frames/3,2", headers={"Accept": ANY})
        assert [data.rstrip(b"\0") for _, data in parts(answer)] == [frames[2], frames[1]]

    serving(check, file_of(made, JPEG))


@pytest.mark.parametrize("is_extended", [False, True])
def test_c38_the_byte_that_makes_a_fragment_even_is_none_of_the_frame(*, is_extended: bool) -> None:
    frames = [b"\xff\xd8\xff\xdb" + bytes([n]) * 59 + b"\xff\xd9" for n in range(3)]
    made = with_pixels(instance(1), b"", rows=4, columns=4, bits=8, NumberOfFrames=3)
    made.PixelData = encapsulate(frames, has_bot=not is_extended)
    if is_extended:
        made.PixelData, made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True

    async def check(served: Served) -> None:
        answer = await served.client.get(f"{path_of(made)}/frames/3,1,2", headers={"Accept": ANY})
        assert [data for _, data in parts(answer)] == [frames[2], frames[0], frames[1]]
        assert {len(data) for _, data in parts(answer)} == {65}

    serving(check, file_of(made, JPEG))


def test_h36_h37_tables_and_counts_that_lie_are_4xx() -> None:
    made = []
    for number, count in enumerate(("2147483647", "0", "-1", "1e9"), 1):
        one = with_pixels(instance(1, 1, number), bytes(16), rows=4, columns=4, bits=8)
        one.add_new(0x00280008, "LO", count)
        made.append(one)
    lying = with_pixels(instance(1, 1, 9), b"", rows=4, columns=4, bits=8, NumberOfFrames=3)
    data, offsets, lengths = encapsulate_extended([b"abcd", b"efgh"])
    lying.PixelData, lying.ExtendedOffsetTable, lying.ExtendedOffsetTableLengths = data, offsets[:-1] + b"\xff", lengths
    lying["PixelData"].VR, lying["PixelData"].is_undefined_length = "OB", True

    async def check(served: Served) -> None:
        for one in (*made, lying):
            for frame in (1, 2, 2147483647):
                answer = await served.client.get(f"{path_of(one)}/frames/{frame}", headers={"Accept": ANY})
                assert 400 <= answer.status_code < 500

    serving(check, *(file_of(one) for one in made), file_of(lying, JPEG))


def test_one_bit_frames_begin_at_their_own_bit() -> None:
    bits = numpy.arange(3 * 35) ** 2 % 11 < 4
    made = with_pixels(
        instance(1), numpy.packbits(bits, bitorder="little").tobytes(), rows=5, columns=7, bits=1, NumberOfFrames=3
    )

    async def check(served: Served) -> None:
        got = parts(await served.client.get(f"{path_of(made)}/frames/1,2,3"))
        for number, (_, data) in enumerate(got):
            assert len(data) == 5
            assert (
                numpy.unpackbits(numpy.frombuffer(data, "u1"), bitorder="little")[:35] == bits[35 * number :][:35]
            ).all()

    serving(check, file_of(made))


def test_a_deflated_object_is_inflated_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from protocols.transcode import source

    inflations = []
    inflate = source.inflated
    monkeypatch.setattr(source, "inflated", lambda view: inflations.append(1) or inflate(view))
    made = sliced(4)

    async def check(served: Served) -> None:
        got = []

        async def ask(number: int) -> None:
            answer = await served.client.get(f"{path_of(made)}/frames/{number}", headers={"Accept": ANY})
            got.append((number, parts(answer)[0][1]))

        async with trio.open_nursery() as nursery:
            for number in (1, 2, 3, 4) * 2:
                nursery.start_soon(ask, number)
        assert sorted(got) == sorted((n, bytes(range(15 * n - 15, 15 * n))) for n in (1, 2, 3, 4) * 2)
        assert len(inflations) == 1

    trio.run(in_folder, tmp_path, check, file_of(made, DEFLATED))  # what waits in the intake is not held open


def test_deleted_frames_are_gone_at_once() -> None:
    made = sliced(2)

    async def check(served: Served) -> None:
        url = f"{path_of(made)}/frames/1"
        for _ in range(3):
            assert (await served.client.get(url)).status_code == 200
        await served.archive.delete("instance", SOPInstanceUID=made.SOPInstanceUID)
        assert (await served.client.get(url)).status_code == 404

    serving(check, file_of(made))


def test_dicomweb_client_gets_frames() -> None:
    path = Path(str(get_testdata_file("emri_small_jpeg_2k_lossless.dcm")))
    original = pydicom.dcmread(path)

    async def check(served: Served) -> None:
        client = DICOMwebClient(f"http://127.0.0.1:{served.port}/dicomweb")
        uids = (original.StudyInstanceUID, original.SeriesInstanceUID, original.SOPInstanceUID)

        def ask() -> None:
            frames = client.retrieve_instance_frames(*uids, frame_numbers=[2, 1])
            assert [numpy.frombuffer(one, "<u2").sum() for one in frames] == [
                original.pixel_array[n].sum() for n in (1, 0)
            ]
            stored = client.retrieve_instance_frames(*uids, frame_numbers=[3], media_types=(("image/jp2", J2K),))
            assert stored[0].startswith(b"\xff\x4f\xff\x51")
            whole = client.retrieve_instance(*uids, media_types=(("application/dicom", "*"),))
            assert whole.pixel_array.shape == original.pixel_array.shape
            assert len(client.retrieve_study(uids[0])) == 1

        await trio.to_thread.run_sync(ask)

    serving(check, path)


def test_what_is_kept_open_is_bounded(tmp_path: Path) -> None:
    made = [with_pixels(instance(1, 1, n), bytes([n]) * 16, rows=4, columns=4, bits=8) for n in range(1, 9)]

    async def check(served: Served) -> None:
        before = open_objects()
        for one in (*made, *made):
            answer = await served.client.get(f"{path_of(one)}/frames/1,1")
            assert parts(answer)[0][1] == one.PixelData
            assert open_objects() <= before + 3
        assert open_objects() == before + 3

    async def work(folder: Path) -> None:
        async with engine.open(str(folder)) as archive:
            for one in made:
                await archive.store(file_of(one))
        async with engine.open(str(folder)) as archive:  # spilled
            await serving_in(check, archive, WebSettings(open_objects_count_max=3))

    trio.run(work, tmp_path)
