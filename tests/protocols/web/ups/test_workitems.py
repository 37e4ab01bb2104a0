"""The worklist over a real socket (C49; PS3.18 11.4 to 11.9): statuses, Warning headers, both media types."""

import json
import logging

import httpx
import pytest

from protocols.web.forms import native_xml
from tests.protocols.web.serving import Served, serving

from .workitems import JSON, XML, Client, code, new, performed, progress, said, stopped

MINE, YOURS = "2.25.1", "2.25.2"


def warned(answer: httpx.Response, served: Served) -> str:
    """The sentence of the Warning header, behind the service that says it."""
    begin = f"299 http://127.0.0.1:{served.port}/dicomweb/workitems: "
    text: str = answer.headers["warning"]
    assert text.startswith(begin)
    return text.removeprefix(begin)


def test_c49_create_is_201_with_a_location() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        answer = await client.create()
        place = f"http://127.0.0.1:{served.port}/dicomweb/workitems/1.2.3"
        assert answer.status_code == 201
        assert answer.headers["location"] == answer.headers["content-location"] == place
        assert warned(answer, served) == "The Workitem was created with modifications."
        assert answer.content == b""
        (model,) = (await client.http.get(place)).json()
        assert model["00741000"]["Value"] == ["SCHEDULED"]
        assert (await client.create()).status_code == 409
        whole = {tag: value for tag, value in model.items() if tag not in ("00080018", "00404010")}
        assert "warning" not in (await client.send("POST", "?1.2.4", [whole])).headers

    serving(check)


@pytest.mark.parametrize(
    "query", ["?1.2.3", "?workitem=1.2.3", "?AffectedSOPInstanceUID=1.2.3&accept=application/json"]
)
def test_the_uid_of_a_new_workitem_may_stand_in_the_query(query: str) -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        assert (await client.send("POST", query, [new()])).status_code == 201
        assert (await client.get())["00080018"]["Value"] == ["1.2.3"]

    serving(check)


def test_or_in_the_body_and_somewhere_it_must() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        assert (await client.send("POST", "", new(_00080018=said("UI", "1.2.3")))).status_code == 201
        assert (await client.send("POST", "", [new()])).status_code == 400
        assert (await client.send("POST", "?1.2.4", [new(_00080018=said("UI", "1.2.5"))])).status_code == 400
        for query in ("?1.2&1.3", "?1..2", "?x=y", "?workitem=a", f"?{'1' * 65}"):
            assert (await client.send("POST", query, [new()])).status_code == 400, query

    serving(check)


def test_c49_a_change_of_state_needs_the_transaction_uid() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create()
        answer = await client.state("IN PROGRESS")
        assert answer.status_code == 400
        assert warned(answer, served) == "The Transaction UID is missing."
        assert (await client.state("IN PROGRESS", MINE)).status_code == 200
        for wanted in ("COMPLETED", "CANCELED"):
            assert (await client.state(wanted)).status_code == 400
        assert (await client.get())["00741000"]["Value"] == ["IN PROGRESS"]

    serving(check)


def test_c49_a_wrong_transaction_uid_is_400() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create()
        await client.state("IN PROGRESS", MINE)
        for answer in (
            await client.state("IN PROGRESS", YOURS),
            await client.state("COMPLETED", YOURS),
            await client.state("CANCELED", YOURS),
            await client.update(progress("10"), YOURS),
        ):
            assert answer.status_code == 400
            assert warned(answer, served) == "The Transaction UID is incorrect."
        missing = await client.update(progress("10"))
        assert (missing.status_code, warned(missing, served)) == (400, "The Transaction UID is missing.")
        assert "00081195" not in await client.get()

    serving(check)


def test_c49_cancel_is_409_when_it_is_done() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create()
        await client.state("IN PROGRESS", MINE)
        assert (await client.update(performed(), MINE)).status_code == 200
        assert (await client.state("COMPLETED", MINE)).status_code == 200
        answer = await client.cancel()
        assert answer.status_code == 409
        assert warned(answer, served) == "The UPS is already COMPLETED."
        again = await client.state("COMPLETED", MINE)
        assert again.status_code == 200
        assert warned(again, served) == "The UPS is already in the requested state of COMPLETED."
        late = await client.update(progress("10"), MINE)
        assert late.status_code == 400
        assert warned(late, served) == "The submitted request is inconsistent with the current state of the Workitem."

    serving(check)


def test_what_cannot_be_in_this_state_is_409() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create()
        sentence = "The submitted request is inconsistent with the state of the UPS Instance."
        early = await client.state("COMPLETED", MINE)
        assert (early.status_code, warned(early, served)) == (409, sentence)
        unclaimed = await client.update(progress("10"), MINE)
        assert unclaimed.status_code == 409
        assert warned(unclaimed, served) == "The target URI did not reference a claimed Workitem."
        await client.state("IN PROGRESS", MINE)
        twice = await client.state("IN PROGRESS", MINE)
        assert (twice.status_code, warned(twice, served)) == (409, sentence)
        half = await client.state("COMPLETED", MINE)
        assert (half.status_code, warned(half, served)) == (409, sentence)
        assert "PerformedProcedureStepEndDateTime" in half.json()["detail"]
        back = await client.state("SCHEDULED", MINE)
        assert (back.status_code, warned(back, served)) == (400, sentence)
        assert (await client.state("DONE", MINE)).status_code == 400

    serving(check)


def test_a_request_to_cancel() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create()
        why = {"00741238": said("LT", "wrong patient"), "0074100C": said("LO", "Ed"), "0074100A": said("UR", "tel:1")}
        assert (await client.cancel(why)).status_code == 202
        model = await client.get()
        assert model["00741000"]["Value"] == ["CANCELED"]
        assert model["00741002"]["Value"][0]["00741238"]["Value"] == ["wrong patient"]
        again = await client.cancel()
        assert again.status_code == 202
        assert warned(again, served) == "The UPS is already in the requested state of CANCELED."
        await client.create("1.2.4")
        await client.state("IN PROGRESS", MINE, "1.2.4")
        unnamed = await client.send("POST", "/1.2.4/cancelrequest?requester=A%5CB")
        assert unnamed.status_code == 400 and "AE title" in unnamed.json()["detail"]
        deaf = await client.cancel(uid="1.2.4")
        assert (deaf.status_code, warned(deaf, served)) == (409, "The performer cannot be contacted.")
        assert (await client.send("POST", "/1.2.4/subscribers/WS1")).status_code == 201
        assert (await client.cancel(uid="1.2.4")).status_code == 202
        assert (await client.get("1.2.4"))["00741000"]["Value"] == ["IN PROGRESS"]
        await client.update(stopped(), MINE, "1.2.4")
        assert (await client.state("CANCELED", MINE, "1.2.4")).status_code == 200
        done = await client.state("CANCELED", MINE, "1.2.4")
        assert warned(done, served) == "The UPS is already in the requested state of CANCELED."

    serving(check)


def test_what_is_not_there_is_404() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        for answer in (
            await client.send("GET", "/1.9"),
            await client.update(progress("1"), MINE, "1.9"),
            await client.state("IN PROGRESS", MINE, "1.9"),
            await client.cancel(uid="1.9"),
            await client.send("POST", "/1.9/subscribers/WS1"),
            await client.send("DELETE", "/1.9/subscribers/WS1"),
        ):
            assert answer.status_code == 404
        assert (await client.send("GET", "/x")).status_code == 400

    serving(check)


def test_the_transaction_may_stand_in_query_or_body_but_not_two() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create()
        await client.state("IN PROGRESS", MINE)
        uid = {"00081195": said("UI", MINE)}
        assert (await client.send("POST", f"/1.2.3?transaction-uid={MINE}", [progress("1")])).status_code == 200
        assert (await client.send("POST", "/1.2.3", [progress("2") | uid])).status_code == 200
        assert (await client.send("POST", f"/1.2.3?{YOURS}", [progress("3") | uid])).status_code == 400
        other = {"00081195": said("UI", YOURS)}
        assert (await client.send("POST", f"/1.2.3?{MINE}", [progress("3") | other])).status_code == 400
        assert (await client.get())["00741002"]["Value"][0]["00741004"]["Value"] == [2]

    serving(check)


def test_what_the_table_refuses_is_400_and_names_it() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        without = {tag: value for tag, value in new().items() if tag != "00404041"}
        answer = await client.send("POST", "?1.2.3", [without])
        assert answer.status_code == 400
        assert answer.json()["detail"] == "InputReadinessState needs a value"
        await client.create(_00100010=said("PN", {"Alphabetic": "Doe^Jane"}))
        changed = await client.update({"00100010": said("PN", {"Alphabetic": "Roe^Jane"})})
        assert changed.status_code == 400
        assert "Roe" not in changed.text

    serving(check)


def test_xml_both_ways() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        body = native_xml.document(json.dumps(new(_00404025=said("SQ", code()))).encode())
        headers = {"Content-Type": XML}
        sent = await client.http.post("/workitems?1.2.3", content=body, headers=headers)
        assert sent.status_code == 201
        shown = await client.send("GET", "/1.2.3", Accept=XML)
        assert shown.headers["content-type"] == XML
        assert b'<Value number="1">Image Processing</Value>' in shown.content
        again = shown.content.replace(b"1.2.3", b"1.2.4")
        assert (await client.http.post("/workitems?1.2.4", content=again, headers=headers)).status_code == 201
        parts = await client.send("GET", "", Accept=f'multipart/related; type="{XML}"')
        assert parts.content.count(b"<NativeDicomModel") == 2
        claim = {"00741000": said("CS", "IN PROGRESS"), "00081195": said("UI", MINE)}
        state = native_xml.document(json.dumps(claim).encode())
        assert (await client.http.put("/workitems/1.2.3/state", content=state, headers=headers)).status_code == 200
        assert (await client.send("GET", "/1.2.3", Accept="image/png")).status_code == 406

    serving(check)


GARBAGE = [
    (b"", JSON, 400),
    (b"{", JSON, 400),
    (b"[]", JSON, 400),
    (b"[{},{}]", JSON, 400),
    (b"null", JSON, 400),
    (b"[[[[", JSON, 400),
    (b'{"00741000": 3}', JSON, 400),
    (b'{"x": {"vr": "CS"}}', JSON, 400),
    (b'{"00741000": {"vr": "ZZ", "Value": ["a"]}}', JSON, 400),
    (b'{"00741000": {"vr": "CS", "BulkDataURI": "http://127.0.0.1/x"}}', JSON, 400),
    (b'{"00741000": {"vr": "US", "Value": [70000]}}', JSON, 400),
    (b'{"00741002":{"vr":"SQ","Value":[' * 300, JSON, 400),
    (b"\xff\xfe", JSON, 400),
    (b"<a/>", XML, 400),
    (b'<!DOCTYPE x [<!ENTITY a "b">]><NativeDicomModel>&a;</NativeDicomModel>', XML, 400),
    (b"{}", "text/plain", 415),
    (b"x" * (3 << 20), JSON, 413),
]


def test_garbage_is_refused_and_changes_nothing() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create()
        before = await client.get()
        for content, kind, status in GARBAGE:
            for method, path in (("POST", "?1.2.9"), ("POST", "/1.2.3"), ("PUT", "/1.2.3/state")):
                answer = await client.http.request(
                    method, f"/workitems{path}", content=content, headers={"Content-Type": kind}
                )
                assert answer.status_code == status, (content[:40], method, path)
                assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.cancel({"00741238": {"vr": "LT", "Value": [{}]}})).status_code == 400
        assert await client.get() == before
        assert await client.find() == ["1.2.3"]

    serving(check)


def test_h64_no_patient_in_the_log_or_in_what_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        name = said("PN", {"Alphabetic": "Hidden^Name"})
        await client.create(_00100010=name, _00100020=said("LO", "SecretID"))
        answers = [
            await client.create(_00100010=name),
            await client.send("POST", "?1.2.9", [{"00100010": name}]),
            await client.update({"00100010": name}),
            await client.update({"00741210": said("XX", "Hidden^Name")}),
            await client.send("POST", "?1.2.9", [new(_00741200=said("CS", "SecretID"))]),
            await client.cancel({"00741238": said("LT", "Hidden^Name")}),
            await client.send("GET", "?PatientName=Hidden&ScheduledProcedureStepStartDateTime=SecretID"),
        ]
        told = "".join(answer.text + str(answer.headers) for answer in answers)
        assert "Hidden" not in told
        assert "SecretID" not in told

    with caplog.at_level(logging.DEBUG, "filmroom"):
        serving(check)
    lines = [str(vars(record)) for record in caplog.records]
    assert any("'code': '0111'" in line for line in lines)
    assert not any("Hidden" in line or "SecretID" in line for line in lines)


def test_search() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create("1.1", _00100010=said("PN", {"Alphabetic": "M\u00fcller^Hans"}), _00100020=said("LO", "P1"))
        await client.create("1.2", _00741200=said("CS", "HIGH"), _00404005=said("DT", "20260401"))
        await client.create("1.3", _00404025=said("SQ", code("WS1", "One")))
        await client.state("IN PROGRESS", MINE, "1.3")
        assert await client.find() == ["1.1", "1.2", "1.3"]
        assert await client.find("ProcedureStepState=SCHEDULED") == ["1.1", "1.2"]
        assert await client.find("00741200=HIGH") == ["1.2"]
        assert await client.find("PatientName=muller*&PatientID=P1") == ["1.1"]
        assert await client.find("PatientName=hans+muler&fuzzymatching=true") == ["1.1"]
        assert await client.find("ScheduledProcedureStepStartDateTime=20260302-") == ["1.2"]
        assert await client.find("ScheduledStationNameCodeSequence.CodeValue=WS1") == ["1.3"]
        assert await client.find("ScheduledStationNameCodeSequence.CodeValue=WS2") == []
        assert await client.find("SOPInstanceUID=1.1,1.3") == ["1.1", "1.3"]
        assert await client.find("limit=1&offset=1") == ["1.2"]
        page = await client.send("GET", "?limit=1")
        assert page.headers["x-total-count"] == "3"
        assert "There are 2 additional results" in page.headers["warning"]
        assert (await client.send("GET", "?NoSuchThing=1")).status_code == 400
        assert (await client.send("GET", "?ScheduledProcedureStepStartDateTime=soon")).status_code == 400

    serving(check)


def test_includefield() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create("1.1", _00102000=said("LO", "latex"), _00102160=said("SH", "x"))
        (row,) = (await client.send("GET", "")).json()
        assert "00102000" not in row
        assert {"00080016", "00080018", "00741000", "00404005", "00741204"} <= set(row)
        (row,) = (await client.send("GET", "?includefield=MedicalAlerts")).json()
        assert row["00102000"]["Value"] == ["latex"]
        assert "00102160" not in row
        (row,) = (await client.send("GET", "?includefield=all")).json()
        assert row == await client.get("1.1")

    serving(check)


def test_it_is_listed_in_the_capabilities() -> None:
    async def check(served: Served) -> None:
        listed = (await served.client.get("", headers={"Accept": "application/json"})).json()
        there = {
            (one["path"], method["name"])
            for one in listed["application"]["resources"]["resource"]
            for method in one["method"]
        }
        root = "dicomweb/workitems"
        assert {
            (root, "POST"),
            (root, "GET"),
            (f"{root}/{{workitem}}", "POST"),
            (f"{root}/{{workitem}}/state", "PUT"),
            (f"{root}/{{workitem}}/cancelrequest", "POST"),
            (f"{root}/{{workitem}}/subscribers/{{ae_title}}", "DELETE"),
            (f"{root}/{{workitem}}/subscribers/{{ae_title}}/suspend", "POST"),
        } <= there

    serving(check)
