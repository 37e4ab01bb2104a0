"""The change feed: ordered, resumable, woken by what comes, ended in order."""

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import httpx
import pytest
import trio
import trio.testing

import engine
from protocols.web import WebSettings
from protocols.web.rest import changes, watchers
from protocols.web.site import Site
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ARCHIVE, ROOT, file_of, instance

SOON = 20


def api(served: Served, path: str) -> str:
    return f"http://127.0.0.1:{served.port}/api/v1/{path}"


async def page(served: Served, query: str) -> dict[str, Any]:
    answer = await served.client.get(api(served, f"changes?{query}"))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_changes_come_in_order_and_go_on_behind_any_of_them() -> None:
    async def check(served: Served) -> None:
        await served.archive.delete(StudyInstanceUID=f"{ROOT}.1")
        await served.archive.restore(StudyInstanceUID=f"{ROOT}.1")
        whole = await page(served, "")
        kinds = [one["kind"] for one in whole["changes"]]
        assert kinds == ["store"] * len(ARCHIVE) + ["delete", "restore"]
        assert len(whole["changes"][-1]["instances"]) == 3
        assert whole["cursor"] == whole["changes"][-1]["cursor"]
        for at, one in enumerate(whole["changes"]):
            behind = await page(served, f"after={one['cursor']}")
            assert behind["changes"] == whole["changes"][at + 1 :]
        walked, cursor = [], ""
        while (found := await page(served, f"after={cursor}&limit=2"))["changes"]:
            assert len(found["changes"]) <= 2
            walked += found["changes"]
            cursor = found["cursor"]
        assert walked == whole["changes"]
        assert (await page(served, f"after={cursor}")) == {"changes": [], "cursor": cursor}
        assert "Doe" not in json.dumps(whole)  # H64
        assert "PID" not in json.dumps(whole)

    serving(check, *ARCHIVE)


def test_what_is_no_cursor_is_refused() -> None:
    async def check(served: Served) -> None:
        for query in ("after=x", "after=////", "after=gA", "limit=x", "wait=-1", "since=1"):
            for accept in ("application/json", changes.EVENTS):
                answer = await served.client.get(api(served, f"changes?{query}"), headers={"accept": accept})
                assert answer.status_code == 400, (query, accept)
        assert (await served.client.get(api(served, "changes"), headers={"accept": "text/html"})).status_code == 406

    serving(check, *ARCHIVE)


def test_who_waits_is_woken_by_a_store() -> None:
    async def check(served: Served) -> None:
        start = await page(served, "after=now")
        assert start["changes"] == []
        found: dict[str, Any] = {}

        async def wait() -> None:
            found.update(await page(served, f"after={start['cursor']}&wait=60"))

        with trio.fail_after(SOON):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await trio.testing.wait_all_tasks_blocked(0.2)
                assert not found
                await served.archive.store(file_of(instance(9)))
        assert [one["study_uid"] for one in found["changes"]] == [f"{ROOT}.9"]
        assert (await page(served, f"after={found['cursor']}&wait=1"))["changes"] == []

    serving(check, *ARCHIVE)


class Events:
    """What an event stream says, one event at a time."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.headers["content-type"] == changes.EVENTS
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, str]:
        """The next event or comment; empty at the end."""
        found: dict[str, str] = {}
        async for line in self._lines:
            if not line:
                return found
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")
        return found


async def stream(served: Served, query: str, work: Callable[[Events], Awaitable[None]], **headers: str) -> None:
    asked = {"accept": changes.EVENTS, **headers}
    async with served.client.stream("GET", api(served, f"changes?{query}"), headers=asked) as answer:
        events = Events(answer)
        assert await events.next() == {"retry": str(changes.RETRY_MS)}
        await work(events)


def test_events_tell_what_was_and_what_comes() -> None:
    async def check(served: Served) -> None:
        whole = (await page(served, ""))["changes"]

        async def work(events: Events) -> None:
            for one in whole:
                event = await events.next()
                assert (event["id"], event["event"], json.loads(event["data"])) == (one["cursor"], one["kind"], one)
            await served.archive.delete(StudyInstanceUID=f"{ROOT}.1")
            assert (await events.next())["event"] == "delete"
            await served.archive.store(file_of(instance(9)))
            event = await events.next()
            assert json.loads(event["data"])["study_uid"] == f"{ROOT}.9"

        async def rest(events: Events) -> None:
            assert (await events.next())["id"] == whole[3]["cursor"]

        async def coming(events: Events) -> None:
            await served.archive.store(file_of(instance(10)))
            assert json.loads((await events.next())["data"])["study_uid"] == f"{ROOT}.10"

        with trio.fail_after(SOON):
            await stream(served, "", work)
            await stream(served, "after=now", rest, **{"last-event-id": whole[2]["cursor"]})
            await stream(served, "after=now", coming)

    serving(check, *ARCHIVE)


def test_a_silent_stream_has_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "HEARTBEAT_SECONDS", 0.05)

    async def check(served: Served) -> None:
        async def work(events: Events) -> None:
            for _ in range(3):
                assert await events.next() == {"": "still here"}

        with trio.fail_after(SOON):
            await stream(served, "after=now", work)

    serving(check)


def test_the_end_of_the_node_ends_streams_and_waiters_in_order() -> None:
    ended: list[str] = []

    async def check(served: Served) -> None:
        async def wait() -> None:
            assert (await page(served, "after=now&wait=60"))["changes"] == []
            ended.append("wait")

        async def watch(*, task_status: trio.TaskStatus[None]) -> None:
            async def work(events: Events) -> None:
                task_status.started()
                assert await events.next() == {}
                ended.append("watch")

            await stream(served, "after=now", work)

        with trio.fail_after(SOON):
            async with trio.open_nursery() as nursery:
                await nursery.start(watch)
                nursery.start_soon(wait)
                await trio.testing.wait_all_tasks_blocked(0.2)
                served.shutdown.set()

    serving(check)
    assert sorted(ended) == ["wait", "watch"]


def test_too_many_watchers_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "COUNT_MAX", 1)

    async def check(served: Served) -> None:
        async def work(events: Events) -> None:
            for accept in ("application/json", changes.EVENTS):
                answer = await served.client.get(api(served, "changes?after=now&wait=9"), headers={"accept": accept})
                assert (answer.status_code, "retry-after" in answer.headers) == (503, True)

        with trio.fail_after(SOON):
            await stream(served, "after=now", work)
            await page(served, "after=now&wait=0")

    serving(check)


def test_a_slow_reader_is_waited_for_page_by_page() -> None:
    """Nothing is gathered for who does not read: a page is read from the journal when the one before was taken."""

    class Watched:
        def __init__(self, archive: engine.Archive) -> None:
            self.asked = 0
            self.journalled = archive.journalled
            self._archive = archive

        async def changes_page(self, after: str, limit: int, *, catch_up: bool = True) -> list[engine.Change]:
            self.asked += 1
            return await self._archive.changes_page(after, 2, catch_up=catch_up)

    async def check(served: Served) -> None:
        await page(served, "limit=1")
        watched: Any = Watched(served.archive)
        site = Site(watched, WebSettings(), (), shutdown=trio.Event())
        async with aclosing(changes.events(site, "")) as pieces:
            assert (await anext(pieces)).startswith(b"retry")
            for number in range(1, 4):
                assert watched.asked == number - 1
                assert bytes(await anext(pieces)).count(b"data: ") == 2

    serving(check, *ARCHIVE)
