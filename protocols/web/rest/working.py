"""Work that a request begins and that goes on behind it: bounded in number, kept in memory, gone with the node."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import trio

from engine.clock import Clock, Identifiers
from engine.errors import Conflict, FilmroomError, Missing
from protocols.web.ports import Refused, Tell
from protocols.web.problems import busy

log = logging.getLogger("filmroom.web")

KEPT_COUNT_MAX: Final = 100  # jobs that are remembered, those that ended first are forgotten first
RUNNING_COUNT_MAX: Final = 8  # each may hold an association, or read the whole archive
FINDINGS_COUNT_MAX: Final = 1000

State = Literal["running", "done", "failed", "cancelled"]
Work = Callable[[Tell], Awaitable[None]]


class Job:
    """One piece of work. ``counts`` is what it said last of itself; ``findings`` what it met, one by one."""

    def __init__(self, name: str, do: str, destination: str, began_us: int) -> None:
        self.name = name
        self.do = do
        self.destination = destination
        self.state: State = "running"
        self.reason = ""
        self.began_us = began_us
        self.ended_us = 0
        self.counts: dict[str, Any] = {}
        self.findings: list[dict[str, Any]] = []
        self.findings_count = 0
        self.scope = trio.CancelScope()

    def hear(self, item: dict[str, Any]) -> None:
        """What the work tells: a finding has a ``reason`` or a ``sentence``, anything else is how far it is."""
        if "reason" not in item and "sentence" not in item:
            self.counts = item
            return
        self.findings_count += 1
        if len(self.findings) < FINDINGS_COUNT_MAX:
            self.findings.append(item)


class Working:
    """The jobs of a process. All calls come from its one loop."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._identifiers = Identifiers()
        self._jobs: dict[str, Job] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Jobs run within this; it never ends by itself."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    def begin(self, do: str, destination: str, work: Work) -> Job:
        """Raises Problem when too much is going on, Conflict when what is done to the whole archive is being done."""
        running = [job for job in self._jobs.values() if job.state == "running"]
        if not destination and any(job.do == do for job in running):
            raise Conflict("this is being done already")
        if self._nursery is None or len(running) >= RUNNING_COUNT_MAX:
            raise busy("too many jobs are running")
        job = Job(self._identifiers.random_id(), do, destination, self._clock.now_us())
        self._jobs[job.name] = job
        self._forget()
        self._nursery.start_soon(self._carry, job, work)
        return job

    def all(self) -> list[Job]:
        """The newest first."""
        return list(reversed(self._jobs.values()))

    def find(self, name: str) -> Job:
        """Raises Missing."""
        job = self._jobs.get(name)
        if job is None:
            raise Missing("there is no such job")
        return job

    async def _carry(self, job: Job, work: Work) -> None:
        async def tell(item: dict[str, Any]) -> None:
            job.hear(item)

        state: State = "cancelled"
        try:
            with job.scope:
                await work(tell)
                state = "done"
        except Exception as error:  # noqa: BLE001 - a defect in one job is that job's end, never the node's
            state, job.reason = "failed", _reason(error, job.do)
        finally:
            job.state, job.ended_us = state, self._clock.now_us()

    def _forget(self) -> None:
        ended = [name for name, job in self._jobs.items() if job.state != "running"]
        for name in ended[: max(0, len(self._jobs) - KEPT_COUNT_MAX)]:
            del self._jobs[name]


def _reason(error: Exception, do: str) -> str:
    """Sentences of ours hold no patient data; others are only named, in the log."""
    if isinstance(error, ExceptionGroup):
        return _reason(error.exceptions[0], do)
    if isinstance(error, FilmroomError | Refused):
        return str(error)
    log.error("job failed", extra={"do": do, "error": type(error).__name__})
    return "the log of the node has more"
