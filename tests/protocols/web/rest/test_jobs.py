"""Jobs are bounded, told of, and cancelled; peers are named before anything is sent to them."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest
import trio

from engine.errors import Missing
from engine.model import Query
from protocols.web import Echoed, KnownPeer, Refused, Tell
from protocols.web.rest import working
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ARCHIVE


class SmallHousehold:
    """One peer; work lasts until it is let go."""

    def __init__(self) -> None:
        self.go = trio.Event()
        self.asked: list[tuple[str, Any]] = []
        self.error: Exception | None = None
        self.cancelled_count = 0
        self.holds = False

    def peers(self) -> list[KnownPeer]:
        return [KnownPeer("WS1", "10.0.0.5", 104, "", False, "", "", "configuration")]

    async def add_peer(self, said: dict[str, Any]) -> KnownPeer:
        self.asked.append(("add", said))
        return KnownPeer(said["ae_title"], said["host"], said["port"], "", said["tls"], said["tls_ca"], "", "added")

    async def remove_peer(self, ae_title: str) -> None:
        if ae_title != "WS1":
            raise Missing("no peer")

    async def echo(self, ae_title: str) -> Echoed:
        return Echoed(False, "refused")

    async def send(self, query: Query, ae_title: str, tell: Tell) -> None:
        self.asked.append((ae_title, query))
        await tell({"matched": 2, "sent": 1})
        await tell({"sop_instance_uid": "1.2", "reason": "status A700"})
        try:
            await self.go.wait()
        except trio.Cancelled:
            self.cancelled_count += 1
            raise
        if self.error:
            raise self.error

    async def verify(self, deep: bool, tell: Tell) -> None:
        self.asked.append(("verify", deep))
        for number in range(working.FINDINGS_COUNT_MAX + 5):
            await tell({"kind": "object", "sentence": f"number {number}"})

    async def reindex(self, tell: Tell) -> None:
        await tell({"records": 7, "damaged": 0})
        if self.holds:
            await self.go.wait()

    async def status(self) -> dict[str, Any]:
        return {"version": "1"}


SEND = {"do": "send", "query": {"PatientID": "PID002"}, "destination": "WS1"}


def with_household(check: Callable[["Client"], Awaitable[None]]) -> None:
    household = SmallHousehold()

    async def work(served: Served) -> None:
        with trio.fail_after(20):
            await check(Client(served, household))

    serving(work, *ARCHIVE, household=household)


class Client:
    """Asks below ``/api/v1``."""

    def __init__(self, served: Served, household: SmallHousehold) -> None:
        self.root = f"http://127.0.0.1:{served.port}/api/v1"
        self.http = served.client
        self.household = household

    async def get(self, path: str) -> Any:
        answer = await self.http.get(f"{self.root}/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def begin(self, said: Any, status: int = 202) -> httpx.Response:
        answer = await self.http.post(f"{self.root}/jobs", json=said)
        assert answer.status_code == status, answer.text
        return answer

    async def ended(self, job: str) -> Any:
        while (found := await self.get(f"jobs/{job}"))["state"] == "running":
            await trio.lowlevel.checkpoint()
        return found


def test_a_sending_is_told_of_while_it_runs_and_when_it_is_done() -> None:
    async def check(client: Client) -> None:
        answer = await client.begin(SEND)
        job = answer.json()["id"]
        assert answer.headers["location"] == f"/api/v1/jobs/{job}"
        while not (found := await client.get(f"jobs/{job}"))["findings"]:
            await trio.lowlevel.checkpoint()
        assert (found["state"], found["counts"], found["ended"]) == ("running", {"matched": 2, "sent": 1}, None)
        assert found["findings"] == [{"sop_instance_uid": "1.2", "reason": "status A700"}]
        client.household.go.set()
        found = await client.ended(job)
        assert (found["state"], found["reason"], found["destination"]) == ("done", "", "WS1")
        assert [one["id"] for one in (await client.get("jobs"))["jobs"]] == [job]
        ((title, query),) = client.household.asked
        assert (title, query.keys[0].values) == ("WS1", ("PID002",))

    with_household(check)


def test_a_job_is_cancelled() -> None:
    async def check(client: Client) -> None:
        job = (await client.begin(SEND)).json()["id"]
        assert (await client.http.delete(f"{client.root}/jobs/{job}")).status_code == 202
        assert (await client.ended(job))["state"] == "cancelled"
        assert client.household.cancelled_count <= 1
        assert (await client.http.delete(f"{client.root}/jobs/0")).status_code == 404

    with_household(check)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Refused("WS1 is not there"), "WS1 is not there"),
        (ExceptionGroup("both", [Missing("nothing there")]), "nothing there"),
        (ValueError("Doe^Jane"), "the log of the node has more"),
    ],
)
def test_what_goes_wrong_is_said_without_what_others_wrote(error: Exception, reason: str) -> None:
    async def check(client: Client) -> None:
        client.household.error = error
        client.household.go.set()
        found = await client.ended((await client.begin(SEND)).json()["id"])
        assert (found["state"], found["reason"]) == ("failed", reason)

    with_household(check)


def test_jobs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "KEPT_COUNT_MAX", 10)

    async def check(client: Client) -> None:
        for _ in range(working.RUNNING_COUNT_MAX):
            await client.begin(SEND)
        assert "retry-after" in (await client.begin(SEND, 503)).headers
        client.household.go.set()
        for one in (await client.get("jobs"))["jobs"]:
            await client.ended(one["id"])
        last = ""
        for _ in range(12):
            last = (await client.begin({"do": "reindex"})).json()["id"]
            await client.ended(last)
        jobs = (await client.get("jobs"))["jobs"]
        assert len(jobs) == 10
        assert jobs[0]["id"] == last
        found = await client.ended((await client.begin({"do": "verify", "deep": False})).json()["id"])
        assert (len(found["findings"]), found["findings_count"]) == (
            working.FINDINGS_COUNT_MAX,
            working.FINDINGS_COUNT_MAX + 5,
        )

    with_household(check)


def test_the_whole_archive_is_gone_through_by_one_at_a_time() -> None:
    async def check(client: Client) -> None:
        client.household.holds = True
        job = (await client.begin({"do": "reindex"})).json()["id"]
        await client.begin({"do": "reindex"}, 409)
        await client.ended((await client.begin({"do": "verify"})).json()["id"])
        client.household.go.set()
        await client.ended(job)
        await client.ended((await client.begin({"do": "reindex"})).json()["id"])

    with_household(check)


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        {"do": "format"},
        {"do": "send", "query": {"PatientID": "1"}},
        {"do": "send", "query": {"PatientID": "1"}, "destination": "NOBODY"},
        {"do": "send", "query": {"PatientID": "1"}, "destination": "WS1@10.9.9.9:104"},
        {"do": "send", "query": {}, "destination": "WS1"},
        {"do": "send", "query": {"PatientID": "*"}, "destination": "WS1"},
        {"do": "send", "query": {"PatientID": ""}, "destination": "WS1"},
        {"do": "send", "query": {"level": "study"}, "destination": "WS1"},
        {"do": "send", "query": {"level": "moon", "PatientID": "1"}, "destination": "WS1"},
        {"do": "send", "query": {"Nothing": "1"}, "destination": "WS1"},
        {"do": "send", "query": {"PatientID": []}, "destination": "WS1"},
        {"do": "send", "query": {"PatientID": 5}, "destination": "WS1"},
        {"do": "send", "query": {"PatientID": "1"}, "destination": "WS1", "host": "10.9.9.9"},
        {"do": "reindex", "x": 1},
        {"do": "verify", "deep": "yes"},
    ],
)
def test_what_is_no_job_begins_nothing(said: Any) -> None:
    async def check(client: Client) -> None:
        await client.begin(said, 400)
        assert client.household.asked == []
        assert (await client.get("jobs")) == {"jobs": []}

    with_household(check)


def test_running_jobs_end_with_the_node() -> None:
    household = SmallHousehold()

    async def work(served: Served) -> None:
        client = Client(served, household)
        await client.begin(SEND)
        while not household.asked:
            await trio.lowlevel.checkpoint()

    serving(work, household=household, seconds=20)
    assert household.cancelled_count == 1


def test_peers_are_listed_added_echoed_and_forgotten() -> None:
    async def check(client: Client) -> None:
        (peer,) = (await client.get("peers"))["peers"]
        assert peer == {
            "ae_title": "WS1",
            "host": "10.0.0.5",
            "port": 104,
            "character_set": "",
            "tls": False,
            "tls_ca": "",
            "tls_name": "",
            "origin": "configuration",
        }
        post = partial(client.http.post, f"{client.root}/peers")
        assert (await post(json={"ae_title": "A", "host": "a", "port": 1})).status_code == 201
        assert (await post(json={"ae_title": "A", "host": "a", "port": "1"})).status_code == 400
        assert (await post(json={"ae_title": "A", "host": "a"})).status_code == 400
        assert len(client.household.asked) == 1
        sealed = {"ae_title": "A", "host": "a", "port": 1, "tls": True, "tls_ca": "/ca.pem"}
        assert (await post(json=sealed)).json()["tls_ca"] == "/ca.pem"
        echoed = await client.http.post(f"{client.root}/peers/WS1/echo")
        assert (echoed.status_code, echoed.json()) == (200, {"answered": False, "reason": "refused"})
        assert (await client.http.delete(f"{client.root}/peers/WS1")).status_code == 204
        assert (await client.http.delete(f"{client.root}/peers/WS2")).status_code == 404
        assert await client.get("status") == {"version": "1"}

    with_household(check)


def test_an_archive_without_a_node_has_neither() -> None:
    async def check(served: Served) -> None:
        for path in ("peers", "status"):
            url = f"http://127.0.0.1:{served.port}/api/v1/{path}"
            assert (await served.client.get(url)).status_code == 404

    serving(check)


def test_what_the_archive_holds_by_modality() -> None:
    async def check(served: Served) -> None:
        url = f"http://127.0.0.1:{served.port}/api/v1/statistics"
        found = (await served.client.get(url)).json()
        counts = {name: (one["study_count"], one["instance_count"]) for name, one in found["modalities"].items()}
        assert counts == {"CT": (3, 4), "MR": (2, 2), "US": (1, 1)}
        assert (found["study_count"], found["series_count"], found["instance_count"]) == (5, 6, 7)
        sizes = [one.size_bytes async for one in served.archive.fetch()]
        assert found["size_bytes"] == sum(sizes) == sum(one["size_bytes"] for one in found["modalities"].values())
        await served.archive.store(ARCHIVE[0])
        assert (await served.client.get(url)).json() == found

    serving(check, *ARCHIVE)
