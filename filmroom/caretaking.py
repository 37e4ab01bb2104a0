"""What a node does for its archive by itself while it serves."""

import logging

import trio

import engine

log = logging.getLogger("filmroom.caretaking")
# Grace is counted in days: an hour more does no harm, and a look at what was deleted costs little.
COLLECT_EVERY_SECONDS = 3600.0


async def collect_forever(archive: engine.Archive) -> None:
    """Now and then remove the bytes of what was deleted longer ago than the grace, and workitems that ended."""
    while True:
        try:
            removed = await archive.collect()
            if removed:
                log.info("collected", extra={"object_count": removed})
            if ended := await archive.tidy_worklist():
                log.info("workitems removed", extra={"workitem_count": ended})
        except engine.FilmroomError as error:
            log.warning("not collected", extra={"reason": str(error)})
        await trio.sleep(COLLECT_EVERY_SECONDS)
