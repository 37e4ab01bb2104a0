"""Large frames are copied to a worker and back beside the event loop, small ones by it."""

import os
import threading

import pytest
import trio

from protocols.codecs.look import Look
from protocols.codecs.picture import Picture
from protocols.transcode import TranscodeSettings, pool
from protocols.transcode.pool import COPIED_BYTES_MAX, Pool


@pytest.mark.parametrize(("side", "is_beside"), [(1024, False), (1025, True)])
def test_what_is_large_is_copied_beside_the_loop(side: int, is_beside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = os.urandom(side * side)  # noise: the image is as large
    assert (len(frame) > COPIED_BYTES_MAX) == is_beside
    picture = Picture(side, side, 1, 8, 8, False, False, "MONOCHROME2", 1)
    writers: list[int] = []
    write = pool._write
    monkeypatch.setattr(pool, "_write", lambda *given: writers.append(threading.get_ident()) or write(*given))

    async def run() -> None:
        workers = Pool(TranscodeSettings(workers_max=1))
        try:
            image = await workers.render(picture, frame, Look(media_type="image/png"))
            assert image.startswith(b"\x89PNG") and len(image) > side * side
        finally:
            await workers.close()

    trio.run(run)
    assert [thread != threading.get_ident() for thread in writers] == [is_beside]
