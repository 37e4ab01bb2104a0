"""Objects that are held open: as many as there may be, and each closed once, whoever uses it meanwhile."""

import random
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from engine.model import Instance
from protocols.web.wado.opened import OpenObjects


class Held:
    """Stands for ``Opened``."""

    held_bytes = 10

    def __init__(self, is_pinned: bool) -> None:
        self.users = 0
        self.is_kept = True
        self.close_count = 0
        self.fetched = SimpleNamespace(is_pinned=is_pinned)

    def close(self) -> None:
        assert self.users == 0, "somebody reads it"
        self.close_count += 1


class Archive:
    """Opens whatever is asked for."""

    def __init__(self) -> None:
        self.made: list[Held] = []

    async def opened(self, instance: Instance, use: object) -> Held:
        await trio.lowlevel.checkpoint()
        self.made.append(Held(is_pinned=instance.key == "pinned"))
        return self.made[-1]


def named(key: str) -> Any:
    return SimpleNamespace(key=key)


def test_what_was_trimmed_while_in_use_leaves_its_successor_alone() -> None:
    archive = Archive()

    async def main() -> None:
        objects = OpenObjects(archive, 1, 1000)  # type: ignore[arg-type]
        async with objects.use(named("a")):
            async with objects.use(named("b")):
                pass
            async with objects.use(named("a")):
                pass
        async with objects.use(named("a")):
            assert len(archive.made) == 3, "the second a is still held"
        objects.close()

    trio.run(main)
    assert [one.close_count for one in archive.made] == [1, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_each_is_closed_once_whatever_the_order(seed: int) -> None:
    archive, chance = Archive(), random.Random(seed)

    async def one(objects: OpenObjects, key: str, turns: int) -> None:
        async with objects.use(named(key)) as opened:
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
            assert opened.close_count == 0  # type: ignore[attr-defined]

    async def main() -> None:
        objects = OpenObjects(archive, 2, 1000)  # type: ignore[arg-type]
        for _ in range(40):
            async with trio.open_nursery() as nursery:
                for _ in range(6):
                    nursery.start_soon(one, objects, chance.choice(("a", "b", "c", "pinned")), chance.randrange(6))
        objects.close()
        assert objects._held_bytes == 0 and not objects._kept

    trio.run(main)
    assert {held.close_count for held in archive.made} == {1}
