"""Worker processes on the side of trio: spawned when needed, one job at a time each, killed when they misbehave."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import trio

from protocols.codecs.jobs import LENGTH, MESSAGE_BYTES_MAX, Done, Job, framed
from protocols.codecs.look import Look
from protocols.codecs.picture import Picture
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.settings import TranscodeSettings

ROOMS = Path(__file__).parents[2]
# -I: neither the environment nor the working directory says what is imported
_START = "import sys; sys.path.insert(0, sys.argv[1]); from protocols.codecs.worker import main; "
_START += "main(int(sys.argv[2]), float(sys.argv[3]))"
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
SHARED_BYTES_KEPT = 4 << 20
COPIED_BYTES_MAX = 1 << 20  # by the event loop itself: a quarter of a millisecond, as much as a thread's way costs
T = TypeVar("T")
DIED = "the decoder died of a frame"


class Gone(Exception):
    """The worker process ended, or said something that no worker says."""


class Worker:
    """One process and the file it shares with us."""

    def __init__(self, process: trio.Process, shared: int) -> None:
        self._process = process
        self._shared = shared
        self._done = msgspec.msgpack.Decoder(Done)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    async def ended(self) -> None:
        """Wait until the process has ended."""
        await self._process.wait()

    async def work(self, job: Job, frame: bytes) -> bytes | str:
        """The result, or the worker's reason for having none. Raises Gone."""
        assert self._process.stdin is not None
        await _beside(len(frame), _write, self._shared, frame)
        try:
            await self._process.stdin.send_all(framed(job))
            done = await self._answer()
        except (trio.BrokenResourceError, msgspec.MsgspecError) as error:
            raise Gone from error
        if done.reason:
            return done.reason
        result = await _beside(done.result_bytes, os.pread, self._shared, done.result_bytes, 0)
        if len(result) != done.result_bytes:
            raise Gone
        if max(done.result_bytes, len(frame)) > SHARED_BYTES_KEPT:
            os.ftruncate(self._shared, 0)
        return result

    async def _answer(self) -> Done:
        length = LENGTH.unpack(await self._receive(LENGTH.size))[0]
        if length > MESSAGE_BYTES_MAX:
            raise Gone
        return self._done.decode(await self._receive(length))

    async def _receive(self, count: int) -> bytes:
        assert self._process.stdout is not None
        data = b""
        while len(data) < count:
            more = await self._process.stdout.receive_some(count - len(data))
            if not more:
                raise Gone
            data += more
        return data

    async def end(self) -> bool:
        """Kill the process and forget it; whether it had ended by itself, as one does that had nothing to do."""
        with trio.CancelScope(shield=True):
            self._process.kill()
            await self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    await pipe.aclose()
        os.close(self._shared)
        return self._process.returncode == 0


async def _beside(size_bytes: int, copy: Callable[..., T], *arguments: object) -> T:
    """Copy so many bytes; in a thread, when everybody else would wait for it."""
    if size_bytes <= COPIED_BYTES_MAX:
        return copy(*arguments)
    return await trio.to_thread.run_sync(copy, *arguments)


def _write(shared: int, frame: bytes) -> None:
    view, at = memoryview(frame), 0
    while at < len(frame):
        at += os.pwrite(shared, view[at:], at)


async def start(settings: TranscodeSettings) -> Worker:
    """Spawn a worker (never forked: the child starts from a fresh interpreter)."""
    shared = -1
    try:
        shared = os.memfd_create("filmroom-frame", os.MFD_CLOEXEC)
        process = await trio.lowlevel.open_process(
            [sys.executable, "-I", "-c", _START, str(ROOMS), str(shared), str(settings.idle_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(shared,),
            env={**_ENVIRONMENT},
            cwd="/",
        )
    except OSError as error:
        if shared >= 0:
            os.close(shared)
        raise Untranscodable("no worker process can be started") from error
    return Worker(process, shared)


class Pool:
    """At most ``workers_max`` workers; who comes later waits."""

    def __init__(self, settings: TranscodeSettings) -> None:
        self._settings = settings
        self._limiter = trio.CapacityLimiter(settings.workers_max)
        self._idle: list[Worker] = []

    @property
    def idle(self) -> tuple[Worker, ...]:
        """Workers without a job (some may have ended meanwhile)."""
        return tuple(self._idle)

    async def decode(self, transfer_syntax_uid: str, picture: Picture, frame: bytes) -> bytes:
        """One frame, unfolded. Raises Untranscodable."""
        job = self._job("decode", transfer_syntax_uid, picture, frame)
        result = await self._work(job, frame)
        if len(result) != picture.frame_bytes:
            raise Untranscodable("a frame was unfolded to another size than the data set says")
        return result

    async def encode(self, transfer_syntax_uid: str, picture: Picture, frame: bytes) -> bytes:
        """One native frame, folded. Raises Untranscodable."""
        return await self._work(self._job("encode", transfer_syntax_uid, picture, frame), frame)

    async def render(self, picture: Picture, frame: bytes, look: Look) -> bytes:
        """One native frame as an image. Raises Untranscodable."""
        return await self._work(self._job("render", "", picture, frame, look), frame)

    def _job(
        self,
        kind: Literal["decode", "encode", "render"],
        transfer_syntax_uid: str,
        picture: Picture,
        frame: bytes,
        look: Look | None = None,
    ) -> Job:
        settings = self._settings
        drawn = 0 if look is None or look.viewport is None else look.viewport.rows * look.viewport.columns
        memory = settings.memory_bytes_min + settings.memory_factor * picture.frame_bytes + 4 * len(frame) + 128 * drawn
        memory += 32 * picture.drawn_bytes if look is not None else 0
        seconds = max(1, round(settings.frame_seconds_max))
        return Job(kind, transfer_syntax_uid, picture, len(frame), memory, seconds, look)

    async def _work(self, job: Job, frame: bytes) -> bytes:
        async with self._limiter:
            result = await self._try(job, frame)
            if result is None:
                result = await self._try(job, frame)
        if isinstance(result, bytes):
            return result
        raise Untranscodable(result or DIED)

    async def _try(self, job: Job, frame: bytes) -> bytes | str | None:
        """A result or a reason; None when the worker went home just before the job came."""
        worker = await self._living()
        is_well = went_home = False
        answer: bytes | str = DIED
        try:
            with trio.move_on_after(self._settings.frame_seconds_max) as scope:
                answer = await worker.work(job, frame)
                is_well = True
            if scope.cancelled_caught:
                answer = "a frame takes its decoder too long"
        except Gone:
            answer = DIED
        finally:
            if is_well:
                self._idle.append(worker)
            else:
                went_home = await worker.end()
        return None if went_home else answer

    async def _living(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            await worker.end()
        return await start(self._settings)

    async def close(self) -> None:
        """End every worker."""
        while self._idle:
            await self._idle.pop().end()
