"""Questions that no sound client asks, over a real socket (H56-H60)."""

from urllib.parse import quote

import pytest
import trio

from engine.model import Level
from protocols.query_parameters import search_of
from protocols.query_values import Refused
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ARCHIVE, file_of, instance


@pytest.mark.parametrize(
    "question",
    [
        *(
            f"{name}={value}"
            for name in ("limit", "offset")
            for value in ("-1", "1e20", "abc", "", "9" * 30, "1.0", "%31%00")
        ),
        "fuzzymatching=maybe",
        "NoSuchKeyword=1",
        "'%20OR%201=1--=x",
        "0010002=1",
        "includefield=%3Cscript%3E",
        "PatientID=" + "a" * 5000,
        "PatientName=" + "*a" * 20 + "*",
        "StudyInstanceUID=1.2,x.y",
        "&".join(f"0010{n:04X}=1" for n in range(600)),
        "PatientID=" + "%5C".join(str(n) for n in range(300)),
    ],
)
def test_h56_h58_bad_questions_are_refused_in_a_sentence(question: str) -> None:
    async def check(served: Served) -> None:
        answer = await served.client.get(f"/studies?{question}")
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] and "script" not in answer.text and "OR 1" not in answer.text

    serving(check, *ARCHIVE[:1])


def test_h59_lists_without_end_are_refused() -> None:
    many = ",".join(f"1.{number}" for number in range(11_000))
    for name, value in (("StudyInstanceUID", many), ("includefield", ",".join(f"{n:08X}" for n in range(3000)))):
        with pytest.raises(Refused, match="more than"):
            search_of(Level.STUDY, {}, [(name, value)], 10)


def test_h57_h59_h60_what_looks_like_more_than_a_value_is_a_value() -> None:
    script = "<script>alert(1)</script>^X"

    async def check(served: Served) -> None:
        for value in (
            "PatientID:ANC001 OR *",
            "'; DROP TABLE x;--",
            "[a TO z]",
            "study:*",
            "\\",
            "%",
            "(",
            "a~2",
            "+a -b",
        ):
            answer = await served.client.get(f"/studies?PatientID={quote(value)}&AccessionNumber={quote(value)}")
            assert answer.status_code in (200, 400)
            if answer.status_code == 200 and value != "\\":
                assert answer.json() == [], value
        many = ",".join(f"{group:04X}{element:04X}" for group in range(8, 68, 2) for element in range(20))
        with trio.fail_after(50):
            assert (await served.client.get(f"/studies?includefield={many}")).status_code == 200
        repeated = "&".join("includefield=PatientAge" for _ in range(600))
        assert (await served.client.get(f"/studies?{repeated}")).status_code == 200
        answer = await served.client.get("/studies?PatientName=*script*")
        assert answer.json()[0]["00100010"]["Value"][0]["Alphabetic"] == script
        assert answer.headers["content-type"] == "application/dicom+json"
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["content-security-policy"]

    serving(check, *ARCHIVE, file_of(instance(66, PatientName=script)))
