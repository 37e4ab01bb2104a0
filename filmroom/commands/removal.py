"""filmroom rm, filmroom restore, filmroom versions."""

import shlex
from typing import Any

from engine import Invalid
from filmroom.access import last, perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import NOTHING, agreed, many, say, say_json, sized, table
from filmroom.compose import store_flag
from filmroom.exits import Exit

_VERSION_COLUMNS = {
    "mark": "version",
    "size": "size",
    "transfer_syntax_uid": "transfer syntax",
    "study": "study",
    "key": "object",
}


async def rm(
    *query: str, yes: bool = False, dry_run: bool = False, reason: str = "", json: bool = False, place: Place = HERE
) -> int:
    """Delete matching studies, series or instances; `filmroom restore` brings them back within store.grace_days.

    Exit code 1 when nothing matched.

    Parameters
    ----------
    query
        As in `filmroom find`, with at least one value.
    yes
        Do not ask.
    dry_run
        Say what would be deleted, and delete nothing.
    reason
        Kept with the deletion.
    json
        The counts as JSON.
    """
    loaded = place.load()
    planned = await last(loaded, "delete", words=list(query), reason=reason, dry_run=True)
    if dry_run or not planned["instance_count"]:
        return _told(planned, "would be deleted" if dry_run else "deleted", json)
    if not yes and not agreed(f"Delete {_counted(planned)}?"):
        return Exit.NO
    done = await last(loaded, "delete", words=list(query), reason=reason, dry_run=False)
    code = _told(done, "deleted", json)
    words = " ".join(map(shlex.quote, query)) + store_flag(loaded.settings.store.url)
    say(f"back within {many('day', loaded.settings.store.grace_days)}: filmroom restore {words}")
    return code


async def restore(*query: str, reason: str = "", json: bool = False, place: Place = HERE) -> int:
    """Bring back what was deleted and matches. Exit code 1 when there was nothing.

    Parameters
    ----------
    query
        As in `filmroom find`, with at least one value.
    reason
        Kept with the restoration.
    json
        The counts as JSON.
    """
    done = await last(place.load(), "restore", words=list(query), reason=reason)
    return _told(done, "restored", json)


async def versions(
    sop_instance_uid: str, /, *, promote: str = "", reason: str = "", json: bool = False, place: Place = HERE
) -> int:
    """What was kept under one SOP Instance UID, the current version first. Exit code 1 when there is nothing.

    Parameters
    ----------
    sop_instance_uid
        Of the instance.
    promote
        Make the version with this object key the current one.
    reason
        Kept with the promotion.
    json
        A JSON array: key, size_bytes, transfer_syntax_uid, is_current, study.
    """
    found: list[dict[str, Any]] = []
    words = {"sop_instance_uid": sop_instance_uid, "promote": promote, "reason": reason}
    await perform(place.load(), "versions", found.append, **words)
    if promote and not any(item["key"] == promote and item["is_current"] for item in found):
        raise Invalid(f"no version of this instance has the object {promote[:64]}")
    if json:
        say_json(found)
    else:
        shown = [
            {**item, "size": sized(item["size_bytes"]), "mark": "current" if item["is_current"] else ""}
            for item in found
        ]
        table(_VERSION_COLUMNS, shown, whole="key")
    if not found:
        say(f"nothing is kept under {sop_instance_uid[:64]}")
    return Exit.OK if found else Exit.NO


def _told(done: dict[str, Any], what: str, json: bool) -> int:
    if json:
        say_json(done)
    else:
        print(f"{_counted(done)} {what}" if done["instance_count"] else NOTHING)
    return Exit.OK if done["instance_count"] else Exit.NO


def _counted(done: dict[str, Any]) -> str:
    return f"{many('instance', done['instance_count'])} of {many('study', done['study_count'])}"
