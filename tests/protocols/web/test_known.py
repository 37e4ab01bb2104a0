"""Who has a frame, a value or an image already is told so, and a range that depends on a validator is given for it."""

from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.data import get_testdata_file

from protocols.transcode import pool
from tests.protocols.web.answers import path_of, with_pixels
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import file_of, instance

ANY = "multipart/related; type=application/octet-stream; transfer-syntax=*"
OCTETS = "application/octet-stream"
PICTURE = Path(str(get_testdata_file("MR_small_jp2klossless.dcm")))
ASKED = (
    ("", 'multipart/related; type="application/dicom"'),
    ("", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1.99"),
    ("/frames/1", ANY),
    ("/frames/1", OCTETS),
    ("/frames/1,1", ANY),
    ("/frames/1", 'multipart/related; type="image/dicom-rle"'),
    ("/pixeldata", ANY),
    ("/bulkdata/00280010", OCTETS),
    ("/bulkdata/00280010", f'multipart/related; type="{OCTETS}"'),
    ("/rendered", "image/png"),
    ("/frames/1/rendered", "image/jpeg"),
    ("/thumbnail", "*/*"),
)


def test_who_has_it_already_gets_304_and_others_the_whole() -> None:
    made = with_pixels(instance(1), bytes(range(64)), rows=8, columns=8, bits=8)
    longer = with_pixels(instance(1, 1, 2), bytes(64), rows=8, columns=8, bits=8)

    async def check(served: Served) -> None:
        async def get(path: str, accept: str, **headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await served.client.get(path, headers={"Accept": accept} | named)

        seen = set()
        for below, accept in ASKED:
            first = await get(f"{path_of(made)}{below}", accept)
            etag = first.headers["etag"]
            assert first.status_code == 200 and "Accept" in first.headers["vary"]
            again = await get(f"{path_of(made)}{below}", accept, If_None_Match=f'"other", {etag}')
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag), below
            assert (await get(f"{path_of(made)}{below}", accept, If_None_Match='"other"')).status_code == 200
            seen |= {etag, (await get(f"{path_of(longer)}{below}", accept)).headers["etag"]}
        assert len(seen) == 2 * len(ASKED), "each answer has its own"
        windowed = await get(f"{path_of(made)}/rendered?window=10,20", "image/png")
        assert windowed.headers["etag"] not in seen

    serving(check, file_of(made), file_of(longer))


@pytest.mark.parametrize("below", ["/frames/1", "/bulkdata/7FE00010"])
def test_a_range_that_depends_on_a_validator(below: str) -> None:
    made = with_pixels(instance(1), bytes(range(64)), rows=8, columns=8, bits=8)

    async def check(served: Served) -> None:
        url, headers = f"{path_of(made)}{below}", {"Accept": OCTETS, "Range": "bytes=8-15"}
        etag = (await served.client.get(url, headers=headers)).headers["etag"]
        assert etag.startswith('"'), "a strong one: If-Range takes no other"
        part = await served.client.get(url, headers=headers | {"If-Range": etag})
        assert (part.status_code, part.content) == (206, bytes(range(8, 16)))
        for other in ('"other"', f"W/{etag}", "Tue, 24 Nov 2026 16:11:59 GMT"):
            whole = await served.client.get(url, headers=headers | {"If-Range": other})
            assert (whole.status_code, len(whole.content)) == (200, 64), other

    serving(check, file_of(made))


def test_an_image_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    original = pydicom.dcmread(PICTURE)
    jobs: list[str] = []
    job = pool.Pool._job
    monkeypatch.setattr(pool.Pool, "_job", lambda self, kind, *given: jobs.append(kind) or job(self, kind, *given))

    async def check(served: Served) -> None:
        images = [(await served.client.get(f"{path_of(original)}/thumbnail")).content for _ in range(3)]
        assert len(set(images)) == 1 and jobs == ["decode", "render"]
        other = await served.client.get(f"{path_of(original)}/rendered?quality=10")
        assert other.content != images[0] and jobs == ["decode", "render", "render"]

    serving(check, PICTURE)
