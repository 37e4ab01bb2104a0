"""Frames of small objects that are in memory: checked and answered without a thread, an open file or a walk."""

from pathlib import Path

import pydicom
import pytest
import trio
from pydicom.encaps import encapsulate

from protocols.web.forms import syntax_types
from tests.protocols.web.answers import open_objects, parts, path_of, with_pixels
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import file_of, instance
from tests.protocols.web.test_objects import in_folder, object_of

OCTETS = "application/octet-stream"
ANY = "multipart/related; type=application/octet-stream; transfer-syntax=*"
NATIVE_FRAGMENTS, RLE, JPEG = "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"


@pytest.mark.parametrize("accept", [ANY, OCTETS])
def test_a_frame_of_a_small_object_is_never_damaged(tmp_path: Path, accept: str) -> None:
    made = with_pixels(instance(1), bytes(range(256)) * 16, rows=64, columns=64, bits=8)

    async def check(served: Served) -> None:
        one = await served.archive.locate(made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID)
        path, url, headers = object_of(tmp_path, one), f"{path_of(made)}/frames/1", {"Accept": accept}
        kept, opened = path.read_bytes(), open_objects()
        begin = len(kept) - 4096
        got = await served.client.get(url, headers=headers)
        assert kept[begin:] in got.content
        assert open_objects() == opened, "it went the long way, which keeps the file open"
        for at in (140, begin - 1, begin, len(kept) - 1):
            path.write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :])
            assert (await served.client.get(url, headers=headers)).status_code == 500, at
        path.write_bytes(kept)
        assert (await served.client.get(url, headers=headers)).content.count(kept[begin:]) == 1

    trio.run(in_folder, tmp_path, check, file_of(made))


def fragment(data: bytes) -> pydicom.Dataset:
    """16 pixels in one fragment, whatever they are."""
    made = with_pixels(instance(1), bytes(16), rows=2, columns=8, bits=8)
    made.PixelData = encapsulate([data])
    made["PixelData"].is_undefined_length = True
    return made


@pytest.mark.parametrize("syntax", [NATIVE_FRAGMENTS, RLE, JPEG])
def test_only_codestreams_lose_what_padded_them(syntax: str) -> None:
    data = bytes(13) + b"\xff\xd9\x00"
    made = fragment(data)

    async def check(served: Served) -> None:
        for accept in (ANY, f"{syntax_types.type_of(syntax)}; transfer-syntax={syntax}"):
            answer = await served.client.get(f"{path_of(made)}/frames/1", headers={"Accept": accept})
            found = answer.content if accept != ANY else parts(answer)[0][1]
            assert found == (data[:-1] if syntax == JPEG else data), accept

    serving(check, file_of(made, syntax))
