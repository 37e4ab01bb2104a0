"""What ``doctor`` asks of an open archive: whether it stores, what it holds twice, and what the last verify found."""

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import engine
from engine import Key, Level, Query
from engine.clock import Clock
from filmroom import verified
from filmroom.check import Check
from protocols.transcode import Codecs

STUDIES_COUNT = 500  # a page
STUDY_UID = "0020000D"
SHOWN_COUNT = 3
VERIFY_DAYS = 30
DAY_SECONDS = 86_400


def storing(archive: engine.Archive) -> Check:
    """Whether it takes what comes."""
    if failure := archive.failure():
        return Check("storing", "bad", failure, "restart the node: it takes up what was acknowledged")
    if damage := archive.damage():
        return Check("storing", "bad", damage, "bring it back from a copy of the archive; filmroom verify names it")
    if trouble := archive.trouble():
        return Check("storing", "bad", trouble, "make room or mend the disk; nothing that was acknowledged is lost")
    return Check("storing", "ok", "instances are taken")


def codecs(installed: Codecs) -> Check:
    """What can be sent otherwise than as it is stored."""
    if installed.reason:
        return Check("codecs", "ok", f"RLE only ({installed.reason})")
    return Check("codecs", "ok", f"{len(installed.decodes)} compressed transfer syntaxes can be unfolded")


async def twofold(archive: engine.Archive, store_flag: str) -> AsyncGenerator[Check, None]:
    """SOP Instance UIDs in more than one place, and instances with more than one content.

    Holds one study at a time, and a number for each instance.
    """
    seen: set[int] = set()
    elsewhere: dict[str, None] = {}
    contested: list[str] = []
    async for instance in _instances(archive):
        mark = hash(instance.sop_instance_uid)
        if mark in seen:
            elsewhere[instance.sop_instance_uid] = None
        seen.add(mark)
        if instance.version_count > 1:
            contested.append(instance.sop_instance_uid)
    find = f"filmroom find --json level=instance SOPInstanceUID=UID StudyInstanceUID={store_flag}"
    yield _counted("elsewhere", list(elsewhere), "SOP Instance UIDs are in more than one study or series", find)
    choose = f"filmroom versions UID{store_flag} shows them, with --promote KEY it chooses one"
    yield _counted("versions", contested, "instances have other content under the same UID", choose)


async def _instances(archive: engine.Archive) -> AsyncIterator[engine.Instance]:
    page = ""
    while True:
        found = await archive.answer(Query(level=Level.STUDY, limit=STUDIES_COUNT, page=page))
        for match in found.matches:
            wanted = Query(level=Level.STUDY, keys=(Key(STUDY_UID, (match.study_uid,)),))
            for instance in await archive.instances(wanted):
                yield instance
        page = found.next_page
        if not page:
            return


def _counted(name: str, uids: list[str], what: str, fix: str) -> Check:
    if not uids:
        return Check(name, "ok", "none")
    shown = ", ".join(uids[:SHOWN_COUNT]) + (", ..." if len(uids) > SHOWN_COUNT else "")
    return Check(
        name,
        "warn",
        f"{len(uids)} {what}: {shown}",
        fix.replace("=UID ", f"={uids[0]} ").replace(" UID", f" {uids[0]}"),
    )


def last_verify(node: Path, store_flag: str) -> Check:
    """What ``filmroom verify`` left behind."""
    fix = f"filmroom verify{store_flag}"
    last = verified.read(node)
    if last is None:
        return Check("verify", "warn", "never run to its end here", fix)
    days = (Clock().now_us() - last.at_us) / 1e6 / DAY_SECONDS
    how = f"{f'{days:.0f} days ago' if days >= 1 else 'today'}: {last.objects} objects" + (
        "" if last.deep else " (names and sizes only)"
    )
    if last.damaged:
        return Check("verify", "bad", f"{how}, {last.damaged} damaged", f"{fix} names them")
    if days > VERIFY_DAYS:
        return Check("verify", "warn", f"{how}, sound", fix)
    return Check("verify", "ok", f"{how}, sound")
