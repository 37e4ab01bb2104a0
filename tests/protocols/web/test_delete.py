"""DELETE over a real socket (C48)."""

import pytest
import trio

import engine
from engine import StoreSettings
from tests.protocols.web.serving import Served, serving, serving_in
from tests.protocols.web.studies import ROOT, files, instance, uids

FILES = files(
    instance(1, 1, 1), instance(1, 1, 2), instance(1, 2, 1), instance(2, 1, 1),
    instance(3, SOPInstanceUID=f"{ROOT}.2.1.1"),
)  # fmt: skip
STUDY, SERIES = f"/studies/{ROOT}.1", f"/studies/{ROOT}.1/series/{ROOT}.1.1"
INSTANCE = f"{SERIES}/instances/{ROOT}.1.1.1"


async def left(served: Served) -> list[str]:
    rows = (await served.client.get("/instances")).json()
    return sorted(f"{study}/{one}" for study, one in zip(uids(rows), uids(rows, "00080018"), strict=True))


def all_but(*gone: int) -> list[str]:
    names = [
        f"{ROOT}.1/{ROOT}.1.1.1", f"{ROOT}.1/{ROOT}.1.1.2", f"{ROOT}.1/{ROOT}.1.2.1", f"{ROOT}.2/{ROOT}.2.1.1",
        f"{ROOT}.3/{ROOT}.2.1.1",
    ]  # fmt: skip
    return [name for number, name in enumerate(names) if number not in gone]


@pytest.mark.parametrize(
    ("path", "gone"),
    [(INSTANCE, (0,)), (SERIES, (0, 1)), (STUDY, (0, 1, 2)), (f"/studies/{ROOT}.3", (4,))],
    ids=["instance", "series", "study", "elsewhere"],
)
def test_c48_what_is_named_is_hidden_at_once_and_comes_back(path: str, gone: tuple[int, ...]) -> None:
    async def check(served: Served) -> None:
        assert await left(served) == all_but()
        answer = await served.client.delete(path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await left(served) == all_but(*gone)
        assert (await served.client.delete(path)).status_code == 404
        study = path.split("/")[2]
        await served.archive.restore("study", StudyInstanceUID=study)
        assert await left(served) == all_but()

    serving(check, *FILES)


def test_c48_what_is_not_there_or_no_name_is_told() -> None:
    async def check(served: Served) -> None:
        for path in ("/studies/9.9", f"/studies/{ROOT}.2/series/{ROOT}.1.1", f"/studies/{ROOT}.1/series/9.9"):
            assert (await served.client.delete(path)).status_code == 404
        for path in ("/studies/*", "/studies/1.2%5C1.3", "/studies/1.2,1.3", "/studies/1?"):
            assert (await served.client.delete(path)).status_code in (400, 404)
        for path in ("/studies", f"{STUDY}/series", "/instances"):
            answer = await served.client.delete(path)
            assert answer.status_code == 405 and "DELETE" not in answer.headers["allow"]
        assert await left(served) == all_but()

    serving(check, *FILES)


def test_c48_retention_keeps_what_is_young_and_says_so() -> None:
    async def check(served: Served) -> None:
        answer = await served.client.delete(STUDY)
        assert answer.status_code == 409 and "retention_days" in answer.json()["detail"]
        assert await left(served) == all_but()

    async def work() -> None:
        with trio.fail_after(60):
            async with engine.open("memory://", StoreSettings(url="memory://", retention_days=7)) as archive:
                for file in FILES:
                    await archive.store(file)
                await serving_in(check, archive)

    trio.run(work)
