"""QIDO-RS over a real socket (C23-C32, O01-O05, B01, B02)."""

import itertools
import json
from typing import Any
from xml.etree import ElementTree

import httpx
import pydicom
import pytest
import trio

from protocols.web import WebSettings
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ARCHIVE, ROOT, file_of, files, instance, uids

STUDY_ROW = {
    "00080020", "00080030", "00080050", "00080061", "00080090", "00081030", "00081190", "00100010", "00100020",
    "00100021", "00100030", "00100040", "0020000D", "00200010", "00201206", "00201208",
}  # fmt: skip


ODD = ("00189087", "00186034", "0018605A")


def numbers(answer: httpx.Response) -> set[int]:
    """The studies of an answer, by the number that they were made with."""
    assert answer.status_code == 200, answer.text
    return {int(uid.rpartition(".")[2]) for uid in uids(answer.json())}


def asked(*questions: tuple[str, set[int]]) -> None:
    """Each question names these studies."""

    async def check(served: Served) -> None:
        for question, expected in questions:
            assert numbers(await served.client.get(f"/studies?{question}")) == expected, question

    serving(check, *ARCHIVE)


def test_c23_forms_of_an_answer() -> None:
    async def check(served: Served) -> None:
        for accept in (
            "",
            "*/*",
            "application/dicom+json, application/json",
            "application/dicom+json, multipart/related; type=application/octet-stream",
        ):
            answer = await served.client.get("/studies", headers={"Accept": accept})
            assert answer.status_code == 200 and len(answer.json()) == 5
            assert answer.headers["content-type"] == "application/dicom+json"
        plain = await served.client.get("/studies?accept=application/json")
        assert plain.headers["content-type"] == "application/json"
        assert (await served.client.get("/studies", headers={"Accept": "text/html"})).status_code == 406
        silent = await served.raw(b"GET /dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head, _, body = silent.partition(b"\r\n\r\n")
        assert b"200" in head.split(b"\r\n")[0] and b"application/dicom+json" in head.lower() and body[:1] == b"["

    serving(check, *ARCHIVE)


def test_xml_is_the_native_model() -> None:
    async def check(served: Served) -> None:
        asking = {"Accept": 'multipart/related; type="application/dicom+xml"'}
        answer = await served.client.get("/studies?PatientID=ANC001&includefield=all", headers=asking)
        assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"; boundary=')
        boundary = answer.headers["content-type"].rpartition("=")[2].encode()
        (part,) = answer.content.split(b"--" + boundary)[1:-1]
        tree = ElementTree.fromstring(part.partition(b"\r\n\r\n")[2])
        space = tree.tag.partition("}")[0] + "}"
        found = {one.get("keyword"): one for one in tree}
        name = found["PatientName"].find(f"{space}PersonName")
        assert name is not None and name.get("number") == "1"
        assert [group.tag.removeprefix(space) for group in name] == ["Alphabetic", "Ideographic"]
        assert name.findtext(f"{space}Ideographic/{space}GivenName") == "Tarou"
        assert found["StudyDescription"].findtext(f"{space}Value") == "Cine heart"
        assert {value.text for value in found["ModalitiesInStudy"]} == {"CT", "MR"}
        empty = await served.client.get("/studies?PatientID=none", headers=asking)
        assert empty.status_code == 200 and empty.content.startswith(b"--")

    serving(check, *ARCHIVE)


def test_c24_nothing_found() -> None:
    async def check(served: Served) -> None:
        for path in ("/studies?PatientID=none", "/studies/9.9/series", "/studies/9.9/series/9/instances"):
            answer = await served.client.get(path)
            assert (answer.status_code, answer.json(), answer.headers["x-total-count"]) == (200, [], "0")

    serving(check, *ARCHIVE)


def test_c25_pages_hold_still_while_data_arrives() -> None:
    async def check(served: Served) -> None:
        seen: list[str] = []
        for step in itertools.count():
            answer = await served.client.get(f"/studies?limit=7&offset={len(seen)}")
            rows = answer.json()
            if not rows:
                break
            seen += uids(rows)
            # newer ones come first: pages of another answer would repeat what was seen
            await served.archive.store(file_of(instance(100 + step, StudyDate=f"2025{step + 1:02}01")))
            assert step < 9
        assert len(seen) == len(set(seen)) == 30
        assert len((await served.client.get("/studies")).json()) == 30 + 5
        # a place that nobody was given
        assert len((await served.client.get("/studies?limit=7&offset=34")).json()) == 1

    serving(check, *files(*(instance(number) for number in range(1, 31))))


def test_c26_o01_names_and_fields() -> None:
    async def check(served: Served) -> None:
        fields = "00081030%2C00080060%2C00080090%2C00100030"
        listed = await served.client.get(f"/studies?limit=101&offset=0&fuzzymatching=true&includefield={fields}")
        assert {row["00081030"]["Value"][0] for row in listed.json()} >= {"Cine heart", "Study 2"}  # B02
        assert "warning" not in listed.headers and listed.headers["x-total-count"] == "6"
        one = {}
        for name, query in {
            "comma": "includefield=00101000,00080080",
            "encoded": "includefield=00101000%2C00080080",
            "repeated": "includefield=00101000&includefield=00080080",
            "keyword": "includefield=OtherPatientIDs,InstitutionName",
        }.items():
            one[name] = (await served.client.get(f"/studies?{query}")).json()
        assert all(rows == one["comma"] for rows in one.values()) and len(one["comma"]) == 6
        assert one["comma"][0]["00101000"] == {"vr": "LO", "Value": ["X1"]}
        for last in ("limit=101&offset=0&fuzzymatching=false", "fuzzymatching=true&fuzzymatching=false"):
            answer = await served.client.get(f"/studies?{last}&PatientID=P9")
            assert answer.status_code == 200 and len(answer.json()) == 1
        by_tag = await served.client.get("/studies?00100020=P9&StudyDescription=Study%209")
        by_name = await served.client.get("/studies?PatientID=P9&00081030=Study%209")
        assert by_tag.json() == by_name.json() and len(by_tag.json()) == 1
        whole = (await served.client.get("/instances?includefield=all&PatientID=P9")).json()[0]
        assert whole["00080080"]["Value"] == ["Hospital"] and whole["00280010"]["Value"] == [4]

    more = {"OtherPatientIDs": "X1", "InstitutionName": "Hospital"}
    serving(
        check,
        *ARCHIVE[:0],
        file_of(instance(9, PatientID="P9", StudyDate="20300101", **more)),
        *ARCHIVE[:1],
        *ARCHIVE[3:],
    )


def test_c27_o02_b01_filters() -> None:
    asked(
        ("PatientName=*doe*", {3, 5}),
        ("PatientName=%2Adoe%2A", {3, 5}),
        ("PatientName=Anchor%2A", {2}),  # B01
        ("PatientName=Anchor%2A&PatientID=PID002&StudyDate=20240110", {2}),
        ("PatientName=*yamada*&fuzzymatching=true", {1}),
        ("PatientName=m%C3%BCller", {4}),
        ("PatientName=MULLER", {4}),
        ("PatientName=%E5%B1%B1%E7%94%B0*", {1}),
        ("00100020=*ANC*", {1}),
        ("AccessionNumber=*CC3*", {3}),
        ("StudyDescription=*Cine*", {1}),
        ("StudyDate=20200101-20201231", {3, 4, 5}),
        ("StudyDate=19700102-20200301", {3}),
        ("ModalitiesInStudy=CT", {1, 2, 5}),
        ("ModalitiesInStudy=CT,US", {1, 2, 3, 5}),
        ("ModalitiesInStudy=CT%2CUS", {1, 2, 3, 5}),
        ("ModalitiesInStudy=CT&ModalitiesInStudy=US", {1, 2, 3, 5}),
        ("ModalitiesInStudy=MR%5CUS", {1, 3, 4}),
        ("00100021=HOSP", {2}),
        ("PatientID=", {1, 2, 3, 4, 5}),
        ("PatientID=*", {1, 2, 3, 4, 5}),
    )


def test_c28_o03_lists_of_uids() -> None:
    both = [f"{ROOT}.2", f"{ROOT}.4"]
    asked(
        *(
            (f"StudyInstanceUID={separator.join(both)}", {2, 4})
            for separator in (",", "%2C", "%5C", "\\", "%5C%5C", "\\\\")
        ),
        (f"StudyInstanceUID={both[0]}&0020000D={both[1]}", {2, 4}),
        (f"0020000D={both[0]}", {2}),
    )


def test_c29_rows_of_studies() -> None:
    async def check(served: Served) -> None:
        rows = (await served.client.get("/studies")).json()
        for row in rows:
            assert set(row) >= STUDY_ROW
        last = next(row for row in rows if row["0020000D"]["Value"] == [f"{ROOT}.5"])
        assert last["00080050"] == {"vr": "SH"} and last["00100020"] == {"vr": "LO"}  # empty, and said so
        first = next(row for row in rows if row["0020000D"]["Value"] == [f"{ROOT}.1"])
        assert (first["00201206"]["Value"], first["00201208"]["Value"]) == ([2], [3])
        assert sorted(first["00080061"]["Value"]) == ["CT", "MR"] and first["00080056"]["Value"] == ["ONLINE"]
        for row in rows:
            (url,) = row["00081190"]["Value"]
            assert url == f"http://127.0.0.1:{served.port}/dicomweb/studies/{row['0020000D']['Value'][0]}"

    serving(check, *ARCHIVE)


def test_c30_o05_series_and_instances_at_every_path() -> None:
    async def check(served: Served) -> None:
        one, two = f"{ROOT}.1.1", f"{ROOT}.1.2"

        async def found(path: str) -> list[dict[str, Any]]:
            answer = await served.client.get(path)
            assert answer.status_code == 200, answer.text
            rows: list[dict[str, Any]] = answer.json()
            return rows

        rows = await found(f"/studies/{ROOT}.1/series?includefield=00080021%2C00080031%2C0008103E%2C00200011")
        assert uids(rows, "0020000E") == [one, two] and rows[0]["00080021"]["Value"] == ["20240115"]
        assert rows[0]["00081190"]["Value"][0].endswith(f"/dicomweb/studies/{ROOT}.1/series/{one}")
        assert rows[0]["00080060"]["Value"] == ["CT"] and rows[0]["0008103E"]["Value"] == ["Series 1"]
        rows = await found(f"/studies/{ROOT}.1/series?0020000E={two}&includefield=00201209")
        assert uids(rows, "0020000E") == [two] and rows[0]["00201209"]["Value"] == [1]
        assert uids(await found(f"/series?0020000E={two}"), "0020000E") == [two]
        (row,) = await found(f"/series?SeriesInstanceUID={two}")
        assert row["00100010"]["Value"][0]["Alphabetic"] == "山田^太郎" and row["00201208"]["Value"] == [3]
        (row,) = await found(f"/instances?00080018={one}.2")
        assert (row["00200013"]["Value"], row["00201209"]["Value"], row["00201208"]["Value"]) == ([2], [2], [3])
        assert row["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
        assert row["00081190"]["Value"][0].endswith(f"/studies/{ROOT}.1/series/{one}/instances/{one}.2")
        for path, count in {
            "/series": 6,
            "/instances": 7,
            f"/studies/{ROOT}.1/instances": 3,
            f"/studies/{ROOT}.1/series/{one}/instances": 2,
            f"/studies/{ROOT}.1/series/{two}/instances": 1,
            f"/studies/{ROOT}.2/series/{two}/instances": 0,
            f"/studies/{ROOT}.1/instances?StudyInstanceUID={ROOT}.2": 0,
            "/series?Modality=MR": 2,
            "/instances?Modality=MR&PatientName=m*": 1,
            "/series?ModalitiesInStudy=MR": 3,
        }.items():
            assert len(await found(path)) == count, path
        assert [row["00200013"]["Value"][0] for row in await found(f"/studies/{ROOT}.1/series/{one}/instances")] == [
            1,
            2,
        ]

    serving(check, *ARCHIVE)


def test_c31_the_json_model_is_exact() -> None:
    made = instance(
        1, PatientName="Müller^Hans=山田^太郎=やまだ", PatientComments='ä "quoted" \\ back', PatientSize="1.70"
    )
    made.SpecificCharacterSet = "ISO_IR 192"
    made.OtherPatientIDsSequence = [pydicom.Dataset(), pydicom.Dataset()]
    made.OtherPatientIDsSequence[0].PatientID = "N1"
    made.RescaleSlope, made.FlipAngle = "1e2", ""
    made.DiffusionBValue, made.DopplerCorrectionAngle = float("nan"), float("inf")
    made.TableOfParameterValues, made.EventTimeOffset = [1.5, float("nan")], 2.5

    async def check(served: Served) -> None:
        answer = await served.client.get("/instances?includefield=all")
        text = answer.content.decode("utf-8")
        (row,) = json.loads(text, parse_constant=lambda name: pytest.fail(name))
        assert all("vr" in one for model in (row, *row["00101002"]["Value"]) for one in model.values())
        for tag in ODD:  # no number of JSON
            assert not isinstance(row[tag]["Value"][-1], int | float)
        assert row["00082134"]["Value"] == [2.5]
        assert row["00080005"]["Value"] == ["ISO_IR 192"]
        (name,) = row["00100010"]["Value"]
        assert name == {"Alphabetic": "Müller^Hans", "Ideographic": "山田^太郎", "Phonetic": "やまだ"}
        assert row["00104000"]["Value"] == ['ä "quoted" \\ back']
        assert row["00101020"]["Value"] == [1.70] and row["00200013"]["Value"] == [1]
        assert row["00181314"] == {"vr": "DS"}
        assert row["00101002"]["Value"] == [{"00100020": {"vr": "LO", "Value": ["N1"]}}, {}]
        row = {tag: value for tag, value in row.items() if tag not in ODD}
        del made.DiffusionBValue, made.DopplerCorrectionAngle, made.TableOfParameterValues
        read = pydicom.Dataset.from_json(row)
        for element in made:
            assert (read[element.tag] == element) or element.is_empty, element.tag

    serving(check, file_of(made))


@pytest.mark.parametrize(
    ("character_set", "name"), [("ISO_IR 100", "Müller^Jürgen"), ("ISO_IR 144", "Люкceмбypг"), (None, "Muller^Jurgen")]
)
def test_c31_every_answer_is_utf_8_and_says_so(character_set: str | None, name: str) -> None:
    made = instance(1, PatientName=name, SpecificCharacterSet=character_set)
    if character_set is None:
        del made.SpecificCharacterSet

    async def check(served: Served) -> None:
        for path in ("studies", "series", "instances", f"studies/{ROOT}.1/metadata"):
            answer = await served.client.get(f"/{path}")
            (row,) = json.loads(answer.content.decode("utf-8"))
            if "00100010" in row:
                assert row["00100010"]["Value"] == [{"Alphabetic": name}], path
            assert row.get("00080005", {"Value": ["ISO_IR 192"]})["Value"] == ["ISO_IR 192"], path
            assert character_set is None or "00080005" in row, path

    serving(check, file_of(made))


def test_c32_what_was_left_out_is_said() -> None:
    async def check(served: Served) -> None:
        answer = await served.client.get("/instances")
        assert len(answer.json()) == 4 and answer.headers["x-total-count"] == "7"
        assert answer.headers["warning"].startswith(f"299 http://127.0.0.1:{served.port}/dicomweb ")
        assert "3 additional results" in answer.headers["warning"]
        assert len((await served.client.get("/instances?limit=9&offset=4")).json()) == 3
        assert (await served.client.get("/instances?limit=0")).json() == []
        passed = await served.client.get("/studies?PixelData=x&emptyvaluematching=true&includefield=NotInTheBook")
        assert "PixelData, emptyvaluematching, NotInTheBook" in passed.headers["warning"]

    serving(check, *ARCHIVE, settings=WebSettings(rows_count_max=4))


def test_an_answer_that_the_client_has_is_not_sent_again() -> None:
    async def check(served: Served) -> None:
        first = await served.client.get("/studies")
        tag = first.headers["etag"]
        again = await served.client.get("/studies", headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        head = await served.client.head("/studies")
        assert (head.status_code, head.headers["etag"], head.content) == (200, tag, b"")
        await served.archive.store(file_of(instance(77)))
        assert (await served.client.get("/studies", headers={"If-None-Match": tag})).status_code == 200
        packed = await served.client.get("/studies", headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip" and len(packed.json()) == 6
        plain = await served.client.get("/studies", headers={"Accept-Encoding": "gzip;q=0"})
        assert "content-encoding" not in plain.headers and plain.json() == packed.json()

    serving(check, *ARCHIVE, settings=WebSettings(gzip_bytes_min=100))


def test_dicomweb_client_searches() -> None:
    """The Python client, which sends a Host without a port and every ``*`` percent-encoded (B01, B06)."""
    from dicomweb_client.api import DICOMwebClient

    def search(port: int) -> None:
        client = DICOMwebClient(f"http://127.0.0.1:{port}/dicomweb")
        assert len(client.search_for_studies()) == 5
        rows = client.search_for_studies(
            search_filters={"PatientName": "Anchor*"}, fields=["StudyDescription"], limit=3, fuzzymatching=True
        )
        assert [row["00081030"]["Value"] for row in rows] == [["Study 2"]]
        assert rows[0]["00081190"]["Value"][0].startswith(f"http://127.0.0.1:{port}/dicomweb/studies/")
        paged = client.search_for_studies(limit=2, get_remaining=True)
        assert len(paged) == len({row["0020000D"]["Value"][0] for row in paged}) == 5
        assert len(client.search_for_series(f"{ROOT}.1")) == 2
        assert len(client.search_for_instances(f"{ROOT}.1", f"{ROOT}.1.1")) == 2
        assert client.search_for_instances(search_filters={"00080018": "9.9"}) == []

    async def check(served: Served) -> None:
        await trio.to_thread.run_sync(search, served.port)

    serving(check, *ARCHIVE)
