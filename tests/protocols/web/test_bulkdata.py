"""Bulk data over a real socket (C34, C35, O10)."""

import httpx
import pydicom
import pytest
import trio
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.protocols.web.answers import parts, path_of, with_pixels
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import file_of, instance

OCTETS = "application/octet-stream"
DEFLATED = "1.2.840.10008.1.2.1.99"


RANGES = (("0-65535", 0, 65536), ("2097000-", 2097000, None), ("-7", -7, None), ("5-9999999", 5, None))
MISSING = (
    "00420011",
    "54000100",
    "54000100/3/54001010",
    "54000100/0/54001010",
    "54001010",
    "54000100/1/003A0200",
    "54000100/1/003A0200/3/003A0203",
)


def ecg() -> pydicom.Dataset:
    """Two waveforms of different samples, and pixels."""
    made = with_pixels(instance(1), bytes(range(256)) * 8192, rows=1024, columns=1024, bits=16)
    groups = []
    for number in (1, 2):
        group, channel = Dataset(), Dataset()
        channel.ChannelLabel = "lead"
        group.WaveformBitsAllocated = 16
        group.ChannelDefinitionSequence = Sequence([channel, channel])
        group.add_new(0x54001010, "OW", bytes([number]) * 30000)
        groups.append(group)
    made.WaveformSequence = Sequence(groups)
    return made


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DEFLATED])
def test_c35_o10_any_value_alone_in_parts_and_by_range(syntax: str) -> None:
    made = ecg()

    async def check(served: Served) -> None:
        async def get(path: str, status: int = 200, **headers: str) -> httpx.Response:
            answer = await served.client.get(f"{path_of(made)}/bulkdata/{path}", headers=headers)
            assert answer.status_code == status, answer.text
            return answer

        for accept in (OCTETS, "*/*", f"{OCTETS}; transfer-syntax=*"):
            for item in (1, 2):
                answer = await get(f"54000100/{item}/54001010", Accept=accept)
                assert answer.content == bytes([item]) * 30000 and answer.headers["content-type"].startswith(OCTETS)
                assert int(answer.headers["content-length"]) == 30000
        as_parts = await get("54000100/2/54001010", Accept=f'multipart/related; type="{OCTETS}"')
        assert [data for _, data in parts(as_parts)] == [bytes([2]) * 30000]
        pixels = await get("7FE00010")
        assert pixels.content == made.PixelData and int(pixels.headers["content-length"]) == 2 << 20
        for asked, begin, end in (
            ("0-65535", 0, 65536),
            ("2097000-", 2097000, None),
            ("-7", -7, None),
            ("5-9999999", 5, None),
        ):
            ranged = await get("7fe00010", 206, Range=f"bytes={asked}")
            assert ranged.content == made.PixelData[begin:end]
            assert ranged.headers["content-range"].endswith(f"/{2 << 20}")
        assert (await get("7FE00010", 416, Range="bytes=2097152-")).headers["content-range"] == "bytes */2097152"
        for junk in ("bytes=9-1", "bytes=a-b", "bytes=0-1,4-5", "rows=1-2", "bytes=-"):
            assert len((await get("7FE00010", 200, Range=junk)).content) == 2 << 20
        label = await get("54000100/2/003A0200/2/003A0203")
        assert label.content == b"lead"
        assert (await get("00100020")).content.strip() == made.PatientID.encode()
        for missing in (
            "00420011",
            "54000100",
            "54000100/3/54001010",
            "54000100/0/54001010",
            "54001010",
            "54000100/1/003A0200",
        ):
            await get(missing, 404)
        for wrong in ("x", "54000100/1", "54000100/a/54001010", "/".join(["54000100/1"] * 80) + "/54001010", "7FE0001"):
            await get(wrong, 400)
        await get("7FE00010", 406, Accept="image/png")

    serving(check, file_of(made, syntax))


def test_c34_links_in_metadata_lead_to_their_values() -> None:
    made = ecg()

    async def check(served: Served) -> None:
        client = DICOMwebClient(f"http://127.0.0.1:{served.port}/dicomweb")

        def ask() -> None:
            (found,) = (
                client.retrieve_instance_metadata(made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID),
            )
            links = [found["7FE00010"]["BulkDataURI"]]
            links += [item["54001010"]["BulkDataURI"] for item in found["54000100"]["Value"]]
            values = [made.PixelData, bytes([1]) * 30000, bytes([2]) * 30000]
            assert [client.retrieve_bulkdata(link)[0] for link in links] == values

        await trio.to_thread.run_sync(ask)

    serving(check, file_of(made))
