"""Webhooks: changes are posted, in order and in batches, to the URLs that the configuration names, and to no others.

The journal is the queue: a hook holds a cursor, kept durably in ``node/webhooks``, and one batch. So a receiver that is
away slows nobody and fills nothing; a restart goes on where it was. A batch may come twice, never out of order. A hook
that is new begins with what comes.

``X-Filmroom-Signature: sha256=HEX`` is the HMAC-SHA256, by the hook's secret, of ``TIMESTAMP.BODY``, where TIMESTAMP
(seconds since 1970) is ``X-Filmroom-Timestamp``. Redirects are not followed, proxies of the environment not used.
"""

import hashlib
import hmac
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import trio
from blake3 import blake3

import engine
from engine.clock import Clock
from filmroom.exits import sentence_of
from filmroom.settings import WebhookSettings
from filmroom.small_files import replace_durably
from protocols.web import bounded_changes, told_change

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("filmroom.webhooks")

BATCH_COUNT_MAX: Final = 500
POST_SECONDS_MAX: Final = 30.0  # a whole exchange, however its bytes dribble in
FIRST_WAIT_SECONDS: Final = 1.0
WAIT_SECONDS_MAX: Final = 300.0
# As long as a report of storage commitment is offered: a receiver may be away over a long weekend. Then the batch is
# passed over, so that one that is never taken does not hold up all others for ever.
GIVE_UP_SECONDS: Final = 4 * 86_400.0


class _Kept(msgspec.Struct, frozen=True):
    """What is remembered of a hook. ``form``: of these bytes."""

    url: str
    cursor: str
    form: int = 1


class Hook:
    """One configured receiver."""

    def __init__(self, archive: engine.Archive, settings: WebhookSettings, folder: Path | None) -> None:
        """``folder`` None: the cursor is in memory alone."""
        self.url = settings.url
        self._archive = archive
        self._settings = settings
        self._file = folder / f"{blake3(settings.url.encode()).hexdigest()[:16]}.json" if folder else None
        self._clock = Clock()

    async def begin(self) -> str:
        """The cursor that is remembered; of a new hook, that of now. Raises Corrupt when it cannot be read,
        Unavailable."""
        cursor = await trio.to_thread.run_sync(self._remembered)
        if not cursor:
            cursor = await self._archive.last_cursor()
            await self._remember(cursor)
        return cursor

    async def carry(self, client: "httpx.AsyncClient") -> None:
        """For ever: what comes is posted. Raises as ``begin``."""
        cursor = await self.begin()
        while True:
            rings = self._archive.journalled.count
            try:
                page = bounded_changes(await self._archive.changes_page(cursor, BATCH_COUNT_MAX, catch_up=False))
            except engine.Conflict:
                log.warning("webhook begins anew: the archive has another journal", extra={"url": self.url})
                page, cursor = [], await self._archive.last_cursor()
                await self._remember(cursor)
            if not page:
                await self._archive.journalled.heard(rings)
                continue
            wanted = [change for change in page if not self._settings.kinds or change.kind in self._settings.kinds]
            if wanted:
                await self._deliver(client, wanted)
            cursor = page[-1].cursor
            await self._remember(cursor)

    async def _deliver(self, client: "httpx.AsyncClient", changes: Sequence[engine.Change]) -> None:
        body = msgspec.json.encode({"changes": [told_change(one) for one in changes]})
        began, wait = trio.current_time(), FIRST_WAIT_SECONDS
        while reason := await self._post(client, body):
            facts = {"url": self.url, "reason": reason, "changes": len(changes)}
            if trio.current_time() - began >= GIVE_UP_SECONDS:
                log.error("webhook passed over: it was not taken for days", extra=facts)
                return
            log.warning("webhook not taken", extra=facts)
            await trio.sleep(wait)
            wait = min(2 * wait, WAIT_SECONDS_MAX)

    async def _post(self, client: "httpx.AsyncClient", body: bytes) -> str:
        """Why it was not taken; empty: it was."""
        timestamp = str(self._clock.now_us() // 1_000_000)
        headers = {
            "Content-Type": "application/json",
            "X-Filmroom-Timestamp": timestamp,
            "X-Filmroom-Signature": f"sha256={signature_of(self._settings.secret, timestamp, body)}",
        }
        try:
            with trio.fail_after(POST_SECONDS_MAX):
                async with client.stream("POST", self.url, content=body, headers=headers) as answer:
                    return "" if answer.is_success else f"status {answer.status_code}"
        except trio.TooSlowError:
            return "no answer in time"
        except Exception as error:  # noqa: BLE001 - whatever keeps a receiver from answering, it is asked again
            return type(error).__name__

    def _remembered(self) -> str:
        if self._file is None or not self._file.exists():
            return ""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Kept).cursor
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise engine.Corrupt(
                f"{self._file} is damaged: move it away, and the hook begins with what comes"
            ) from error

    async def _remember(self, cursor: str) -> None:
        if self._file is not None:
            data = msgspec.json.encode(_Kept(self.url, cursor))
            await trio.to_thread.run_sync(replace_durably, self._file, data)


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """What a receiver makes of the same, and compares."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


async def begin_all(archive: engine.Archive, hooks: Sequence[WebhookSettings], folder: Path | None) -> list[Hook]:
    """Those that are new begin here. Raises Corrupt when what is remembered of one cannot be read."""
    if hooks and folder is not None:
        await trio.to_thread.run_sync(lambda: folder.mkdir(exist_ok=True))
    begun = [Hook(archive, settings, folder) for settings in hooks]
    for hook in begun:
        with suppress(engine.Unavailable, OSError):  # the index catches up, the disk is full: it begins when it carries
            await hook.begin()
    return begun


async def carry_all(hooks: Sequence[Hook]) -> None:
    """Until cancelled; each hook goes on whatever becomes of the others."""
    if not hooks:
        return
    import httpx

    async with (
        httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=POST_SECONDS_MAX) as client,
        trio.open_nursery() as nursery,
    ):
        for hook in hooks:
            nursery.start_soon(_guarded, hook, client)


async def _guarded(hook: Hook, client: "httpx.AsyncClient") -> None:
    """Troubles of the journal or of the disk end no node: they are said, and the hook tries again, soon at first (the
    index catches up when a node starts), then less often."""
    wait = FIRST_WAIT_SECONDS
    while True:
        began = trio.current_time()
        try:
            await hook.carry(client)
        except (engine.FilmroomError, OSError) as error:
            log.error("webhook waits", extra={"url": hook.url, "reason": sentence_of(error)})
        if trio.current_time() - began > WAIT_SECONDS_MAX:
            wait = FIRST_WAIT_SECONDS
        await trio.sleep(wait)
        wait = min(2 * wait, WAIT_SECONDS_MAX)
