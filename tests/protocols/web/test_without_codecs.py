"""A node without the extra [codecs] gives what is stored, and names the extra where it would be needed."""

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from protocols.transcode import Codecs, transcoder
from tests.protocols.web.answers import parts, path_of
from tests.protocols.web.serving import Served, serving

EXPLICIT, J2K, JLS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"
RAW = 'multipart/related; type="application/octet-stream"'
DICOM = 'multipart/related; type="application/dicom"'


def test_the_extra_is_named_where_it_would_be_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcoder, "installed_codecs", Codecs)
    files = [Path(str(get_testdata_file(name))) for name in ("MR_small_jp2klossless.dcm", "CT_small.dcm")]
    made, native = map(pydicom.dcmread, files)

    async def check(served: Served) -> None:
        async def asked(made: pydicom.Dataset, below: str, accept: str) -> tuple[int, str]:
            answer = await served.client.get(f"{path_of(made)}{below}", headers={"Accept": accept})
            return answer.status_code, answer.json()["detail"] if answer.status_code == 406 else ""

        for one, below, accept in (
            (made, "/frames/1", f"{RAW}; transfer-syntax={EXPLICIT}"),
            (made, "/frames/1", f'multipart/related; type="image/jls"; transfer-syntax={JLS}'),
            (made, "", f"{DICOM}; transfer-syntax={EXPLICIT}"),
            (made, "", f"application/dicom; transfer-syntax={JLS}"),
            (made, "/rendered", "image/jpeg"),
            (made, "/thumbnail", "*/*"),
            (native, "/frames/1", 'multipart/related; type="image/jp2"'),
            (native, "/rendered", "image/png"),
        ):
            status, said = await asked(one, below, accept)
            assert (status, "filmroom[codecs]" in said) == (406, True), (below, accept, said)
        for below, accept in (("/frames/1", "image/gif"), ("", f"{DICOM}; transfer-syntax=1.2.3")):
            status, said = await asked(made, below, accept)
            assert (status, "codecs" in said) == (406, False), "the extra would not help"
        for below, accept in (("/frames/1", f"{RAW}; transfer-syntax=*"), ("/frames/1", "*/*"), ("", DICOM)):
            answer = await served.client.get(f"{path_of(made)}{below}", headers={"Accept": accept})
            assert J2K in parts(answer)[0][0]["Content-Type"], "as it is stored"

    serving(check, *files)
