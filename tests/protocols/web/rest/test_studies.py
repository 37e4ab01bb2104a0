"""Studies over REST: what they hold, as they were, their versions, and the way back from a delete."""

from engine.clock import moment_of_text
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ARCHIVE, ROOT, file_of, instance


def api(served: Served, path: str) -> str:
    return f"http://127.0.0.1:{served.port}/api/v1/{path}"


def test_studies_are_given_with_what_they_hold() -> None:
    async def check(served: Served) -> None:
        answer = await served.client.get(api(served, "studies"))
        assert answer.headers["content-type"] == "application/json"
        page = answer.json()
        assert (page["total"], page["offset"], len(page["studies"])) == (5, 0, 5)
        first = page["studies"][0]
        assert first["study_uid"] == f"{ROOT}.1"
        assert (first["series_count"], first["instance_count"]) == (2, 3)
        assert first["attributes"]["PatientName"] == "山田^太郎=Yamada^Tarou"
        assert (first["several_versions_count"], first["conflict_count"]) == (0, 0)
        sizes = [one.size_bytes async for one in served.archive.fetch(StudyInstanceUID=f"{ROOT}.1")]
        assert first["size_bytes"] == sum(sizes)
        assert moment_of_text(first["changed"]) > 0

    serving(check, *ARCHIVE)


def test_studies_match_sort_and_page() -> None:
    async def check(served: Served) -> None:
        async def uids(query: str) -> list[str]:
            answer = await served.client.get(api(served, f"studies?{query}"))
            assert answer.status_code == 200, answer.text
            return [one["study_uid"].removeprefix(f"{ROOT}.") for one in answer.json()["studies"]]

        assert await uids("PatientName=m*") == ["5", "4"]
        assert await uids("sort=StudyDate") == ["3", "4", "5", "2", "1"]
        assert await uids("sort=-StudyDate") == ["1", "2", "5", "4", "3"]
        assert await uids("sort=-StudyDate&limit=2&offset=2") == ["5", "4"]
        assert await uids("limit=0") == []

    serving(check, *ARCHIVE)


def test_what_is_not_understood_is_refused() -> None:
    async def check(served: Served) -> None:
        for query in (
            "Nothing=1",
            "as_of=yesterday",
            "as_of=2024-01-01T00:00:00",
            "limit=-1",
            "sort=Nothing",
            "PixelData=1",
            "emptyvaluematching=true",
        ):
            answer = await served.client.get(api(served, f"studies?{query}"))
            assert answer.status_code == 400, query
            assert answer.headers["content-type"] == "application/problem+json"
        for rows_count, total in ((4, 5), (1, 0)):  # what a study holds chooses it
            answer = await served.client.get(api(served, f"studies?Rows={rows_count}"))
            assert answer.json()["total"] == total
        assert (await served.client.get(api(served, f"studies/{ROOT}.1?offset=1"))).status_code == 400
        assert (await served.client.get(api(served, "studies/1.2.3"))).status_code == 404
        assert (await served.client.get(api(served, "studies/1.2.3/versions"))).status_code == 404
        assert (await served.client.post(api(served, "studies/1.2.3/restore"))).status_code == 404

    serving(check, *ARCHIVE)


def test_a_study_is_given_with_its_series() -> None:
    async def check(served: Served) -> None:
        found = (await served.client.get(api(served, f"studies/{ROOT}.1"))).json()
        assert [one["instance_count"] for one in found["series"]] == [2, 1]
        assert [one["attributes"]["Modality"] for one in found["series"]] == ["CT", "MR"]
        assert "PatientName" not in found["series"][0]["attributes"]
        assert sum(one["size_bytes"] for one in found["series"]) == found["size_bytes"]
        assert found["instance_count"] == 3

    serving(check, *ARCHIVE)


def test_the_archive_as_it_was() -> None:
    async def check(served: Served) -> None:
        before = (await served.client.get(api(served, f"studies/{ROOT}.1"))).json()
        await served.archive.store(file_of(instance(1, 3, 1)))
        now = (await served.client.get(api(served, f"studies/{ROOT}.1"))).json()
        assert (before["series_count"], now["series_count"]) == (2, 3)
        then = {"as_of": before["changed"]}
        assert (await served.client.get(api(served, f"studies/{ROOT}.1"), params=then)).json() == before
        page = (await served.client.get(api(served, "studies"), params=then | {"PatientID": "ANC001"})).json()
        assert [one["series_count"] for one in page["studies"]] == [2]
        assert (await served.client.get(api(served, "studies?as_of=1990-01-01T00:00:00Z"))).json()["total"] == 0

    serving(check, *ARCHIVE)


def test_a_version_is_promoted() -> None:
    async def check(served: Served) -> None:
        await served.archive.store(file_of(instance(1, 1, 1, PatientName="Other^Content")))
        (one,) = (await served.client.get(api(served, f"studies/{ROOT}.1/versions"))).json()["instances"]
        first, second = one["versions"]
        assert (first["is_current"], second["is_current"]) == (True, False)
        place = f"studies/{ROOT}.1/series/{one['series_uid']}/instances/{one['sop_instance_uid']}/promote"
        answer = await served.client.post(api(served, place), json={"key": second["key"], "reason": "the right one"})
        assert (answer.status_code, answer.json()) == (200, {"key": second["key"]})
        (one,) = (await served.client.get(api(served, f"studies/{ROOT}.1/versions"))).json()["instances"]
        assert one["versions"][0]["key"] == second["key"]
        assert (await served.client.get(api(served, f"studies/{ROOT}.1"))).json()["several_versions_count"] == 1
        assert (await served.client.post(api(served, place), json={"key": "0"})).status_code == 404
        for body in (b"{}", b"[]", b"{", b'{"key":1}', b'{"key":"a","x":1}', b"\xff"):
            answer = await served.client.post(
                api(served, place), content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 400, body
        assert (await served.client.post(api(served, place), content=b'{"key":"0"}')).status_code == 415

    serving(check, *ARCHIVE)


def test_what_was_deleted_is_told_and_comes_back() -> None:
    async def check(served: Served) -> None:
        assert (await served.client.get(api(served, "deleted"))).json() == {"total": 0, "offset": 0, "deleted": []}
        await served.archive.delete(StudyInstanceUID=f"{ROOT}.1")
        await served.archive.delete(StudyInstanceUID=f"{ROOT}.2")
        told = (await served.client.get(api(served, "deleted"))).json()
        assert told["total"] == 2
        assert {one["study_uid"]: one["instance_count"] for one in told["deleted"]} == {f"{ROOT}.1": 3, f"{ROOT}.2": 1}
        assert all(one["deleted"] < one["restorable_until"] for one in told["deleted"])
        assert len((await served.client.get(api(served, "deleted?limit=1&offset=1"))).json()["deleted"]) == 1
        assert (await served.client.get(api(served, "deleted?PatientID=ANC001"))).json()["total"] == 1
        assert (await served.client.get(api(served, f"studies/{ROOT}.1"))).status_code == 404
        series = api(served, f"studies/{ROOT}.1/series/{ROOT}.1.2/restore")
        assert (await served.client.post(series)).json() == {"instance_count": 1}
        again = await served.client.post(api(served, f"studies/{ROOT}.1/restore"), json={"reason": "by mistake"})
        assert again.json() == {"instance_count": 2}
        assert (await served.client.get(api(served, f"studies/{ROOT}.1"))).json()["instance_count"] == 3
        assert (await served.client.get(api(served, "deleted"))).json()["total"] == 1

    serving(check, *ARCHIVE)
