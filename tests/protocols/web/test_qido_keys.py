"""What keys of a search mean: those of lower levels, and values that are no values (C27, C32)."""

from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ARCHIVE, ROOT, uids
from tests.protocols.web.test_qido import asked


def test_keys_of_lower_levels_choose_what_holds_them() -> None:
    """Never a row that holds nothing of the kind; several hold in one series, or one instance."""
    one = f"{ROOT}.1.1"
    asked(
        (f"SeriesInstanceUID={one}", {1}),
        (f"SeriesInstanceUID={one},{ROOT}.3.1", {1, 3}),
        ("SeriesInstanceUID=9.9", set()),
        (f"SOPInstanceUID={one}.2", {1}),
        (f"SOPInstanceUID={one}.2&SeriesInstanceUID={ROOT}.1.2", set()),
        (f"SOPInstanceUID={one}.2&PatientID=ANC001", {1}),
        (f"SOPInstanceUID={one}.2&PatientID=PID002", set()),
        (f"StudyInstanceUID={ROOT}.2&SeriesInstanceUID={one}", set()),
        ("SeriesDescription=whatever", set()),
        ("SeriesDescription=Series%202", {1}),
        ("Modality=MR", {1, 4}),
        ("Modality=MR,US", {1, 3, 4}),
        ("Modality=M*", {1, 4}),
        ("Modality=MR&SeriesNumber=1", {4}),
        ("Modality=MR&InstanceNumber=1", {1, 4}),
        ("Modality=MR&InstanceNumber=2", set()),
        ("InstanceNumber=2", {1}),
        ("SOPClassUID=1.2.840.10008.5.1.4.1.1.4", {1, 4}),
        ("SeriesDescription=*", {1, 2, 3, 4, 5}),
        ("SeriesInstanceUID=", {1, 2, 3, 4, 5}),
    )

    async def check(served: Served) -> None:
        for question, series in ((f"SOPInstanceUID={one}.2", [one]), ("InstanceNumber=2", [one]), ("Rows=5", [])):
            for path in ("/series", f"/studies/{ROOT}.1/series"):
                answer = await served.client.get(f"{path}?{question}")
                assert uids(answer.json(), "0020000E") == series and "warning" not in answer.headers

    serving(check, *ARCHIVE)


def test_what_is_no_date_is_refused() -> None:
    """An empty answer would deceive (PS3.4 C.2.2.2.5)."""

    async def check(served: Served) -> None:
        for question in ("StudyDate=2004", "StudyDate=200401-200412", "StudyTime=8", "StudyDate=yesterday"):
            answer = await served.client.get(f"/studies?{question}")
            assert answer.status_code == 400 and "is written" in answer.json()["detail"], question
        for question in ("StudyDate=2024*", "StudyTime=10", "StudyTime=1015-", "StudyDate=", "StudyDate=*"):
            answer = await served.client.get(f"/studies?{question}")
            assert answer.status_code == 200 and answer.json(), question

    serving(check, *ARCHIVE)
