"""Subscriptions over a real socket (C49; PS3.18 11.10 to 11.12)."""

import pytest

from tests.protocols.web.serving import Served, serving

from .workitems import ALL, FILTERED, Client, said


def test_a_subscription_says_where_its_notifications_are() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create()
        for uid in ("1.2.3", ALL):
            answer = await client.send("POST", f"/{uid}/subscribers/WS%201")
            assert answer.status_code == 201
            place = f"ws://127.0.0.1:{served.port}/dicomweb/subscribers/WS%201"
            assert answer.headers["content-location"] == place
        assert (await client.send("DELETE", f"/{ALL}/subscribers/WS%201")).status_code == 200
        assert (await client.send("DELETE", f"/{ALL}/subscribers/WS%201")).status_code == 404

    serving(check)


def test_what_a_lock_keeps() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        for uid in ("1.1", "1.2"):
            await client.create(uid)
        assert (await client.send("POST", "/1.1/subscribers/PACS?deletionlock=true")).status_code == 201
        for uid in ("1.1", "1.2"):
            await client.cancel(uid=uid)
        later = 1 << 60
        assert await served.archive.worklist(lambda worklist: worklist.tidy(later)) == 1
        assert await client.find() == ["1.1"]
        assert (await client.send("DELETE", "/1.1/subscribers/PACS")).status_code == 200
        assert await served.archive.worklist(lambda worklist: worklist.tidy(later)) == 1
        assert await client.find() == []

    serving(check)


def test_a_filter() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        place = f"/{FILTERED}/subscribers/PACS"
        assert (await client.send("POST", f"{place}?filter=00741200=HIGH,WorklistLabel=CAD")).status_code == 201
        await client.create("1.1", _00741200=said("CS", "HIGH"), _00741202=said("LO", "CAD"))
        await client.create("1.2", _00741200=said("CS", "HIGH"))

        for uid in ("1.1", "1.2"):
            gone = await client.send("DELETE", f"/{uid}/subscribers/PACS")
            assert gone.status_code == (200 if uid == "1.1" else 404)
        assert (await client.send("POST", f"{place}/suspend")).status_code == 200
        assert (await client.send("POST", f"{place}/suspend")).status_code == 404

    serving(check)


@pytest.mark.parametrize(
    "path",
    [
        f"/{FILTERED}/subscribers/PACS",
        f"/{FILTERED}/subscribers/PACS?filter=",
        f"/{FILTERED}/subscribers/PACS?filter=HIGH",
        f"/{FILTERED}/subscribers/PACS?filter=NoSuchThing=1",
        f"/{ALL}/subscribers/PACS?filter=00741200=HIGH",
        f"/{ALL}/subscribers/PACS?deletionlock=maybe",
        f"/{ALL}/subscribers/PACS?deletionlock=true&deletionlock=false",
        f"/{ALL}/subscribers/PACS?what=ever",
        f"/{ALL}/subscribers/{'A' * 17}",
        f"/{ALL}/subscribers/A%0AB",
        "/1.2/subscribers/PACS/suspend",
    ],
)
def test_what_makes_no_sense_is_400(path: str) -> None:
    async def check(served: Served) -> None:
        assert (await Client(served).send("POST", path)).status_code == 400

    serving(check)
