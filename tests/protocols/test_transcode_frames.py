"""Single frames: in the order asked, cached by content, made once at a time."""

import pydicom
import pytest
import trio
from pydicom.pixels import pixel_array
from trio.testing import wait_all_tasks_blocked

from engine.errors import Missing
from native.canonical import read_meta
from protocols.codecs.syntaxes import EXPLICIT_LITTLE, JPEG_LS, RLE, Codecs
from protocols.transcode import Source, Transcoder, Untranscodable
from protocols.transcode.frame_cache import FrameCache
from tests.native.real_files import FOLDER

PATH = FOLDER / "SC_rgb_rle_16bit_2frame.dcm"


def test_frames_in_the_order_asked() -> None:
    file = PATH.read_bytes()
    stored, offset = read_meta(file)
    source = Source(file, offset, stored)
    wanted = pixel_array(pydicom.dcmread(PATH))

    async def run() -> None:
        async with Transcoder(codecs=Codecs()) as transcoder:
            asked = [2, 1, 2]
            made = [one async for one in transcoder.frames(source, EXPLICIT_LITTLE, asked, "content")]
            assert made == [wanted[number - 1].tobytes() for number in asked]
            for numbers in ([3], [0], [1, -1]):
                with pytest.raises(Missing):
                    await anext(transcoder.frames(source, EXPLICIT_LITTLE, numbers, "content"))
            with pytest.raises(Untranscodable, match="codecs"):
                await anext(transcoder.frames(Source(file, offset, JPEG_LS), EXPLICIT_LITTLE, [1], "other"))
            assert stored == RLE

    trio.run(run)


def test_a_frame_is_made_once_at_a_time_and_kept() -> None:
    made: list[int] = []

    async def run() -> None:
        cache = FrameCache(100)
        go = trio.Event()
        results: list[bytes] = []

        async def make() -> bytes:
            made.append(1)
            await go.wait()
            return b"x" * 40

        async def ask() -> None:
            results.append(await cache.get(("a", "uid", 1), make))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            assert len(made) == 1
            go.set()
        assert results == [b"x" * 40] * 5 and len(made) == 1
        for content in ("b", "c"):
            await cache.get((content, "uid", 1), make)
        assert cache.held_bytes == 80 and len(made) == 3
        await cache.get(("b", "uid", 1), make)
        await cache.get(("a", "uid", 1), make)  # was the oldest
        assert len(made) == 4
        await cache.get(("b", "uid", 1), make)  # asked for later than c: still here
        assert len(made) == 4

    trio.run(run)


def test_who_waits_for_one_that_fails_tries_again() -> None:
    async def run() -> None:
        cache = FrameCache(100)
        go = trio.Event()

        async def fail() -> bytes:
            await go.wait()
            raise Untranscodable("broken")

        async def work() -> bytes:
            return b"fine"

        async def first() -> None:
            with pytest.raises(Untranscodable):
                await cache.get(("a", "uid", 1), fail)

        async def second() -> None:
            assert await cache.get(("a", "uid", 1), work) == b"fine"

        async with trio.open_nursery() as nursery:
            nursery.start_soon(first)
            await wait_all_tasks_blocked()
            nursery.start_soon(second)
            await wait_all_tasks_blocked()
            go.set()

    trio.run(run)


def test_one_too_large_to_keep_is_given_all_the_same() -> None:
    async def run() -> None:
        cache = FrameCache(3)

        async def make() -> bytes:
            return b"four"

        assert await cache.get(("a", "uid", 1), make) == b"four"
        assert cache.held_bytes == 0

    trio.run(run)
