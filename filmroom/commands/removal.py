"""filmroom rm, filmroom restore, filmroom versions."""

import sys
from typing import Any

from engine import Invalid
from filmroom.access import last, perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import say, say_json, table
from filmroom.exits import Exit


async def rm(
    *query: str, yes: bool = False, dry_run: bool = False, reason: str = "", json: bool = False, place: Place = HERE
) -> int:
    """Delete matching studies, series or instances; `filmroom restore` brings them back within store.grace_days.

    QUERY as in `filmroom find`, with at least one value. Exit code 1 when nothing matched.

    Parameters
    ----------
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
    if not yes and not _asked(f"Delete {_counted(planned)}?"):
        return Exit.NO
    done = await last(loaded, "delete", words=list(query), reason=reason, dry_run=False)
    code = _told(done, "deleted", json)
    say(f"back within {loaded.settings.store.grace_days} days: filmroom restore {' '.join(map(_quoted, query))}")
    return code


async def restore(*query: str, reason: str = "", json: bool = False, place: Place = HERE) -> int:
    """Bring back what was deleted and matches. Exit code 1 when there was nothing.

    Parameters
    ----------
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
    promote
        Make the version with this object key the current one.
    reason
        Kept with the promotion.
    json
        A JSON array.
    """
    found: list[dict[str, Any]] = []
    words = {"sop_instance_uid": sop_instance_uid, "promote": promote, "reason": reason}
    await perform(place.load(), "versions", found.append, **words)
    if promote and not any(item["key"] == promote and item["is_current"] for item in found):
        raise Invalid(f"no version of this instance has the object {promote[:64]}")
    if json:
        say_json(found)
    else:
        table(("key", "size_bytes", "transfer_syntax_uid", "is_current", "study"), found)
    return Exit.OK if found else Exit.NO


def _told(done: dict[str, Any], what: str, json: bool) -> int:
    if json:
        say_json(done)
    else:
        print(f"{_counted(done)} {what}")
    return Exit.OK if done["instance_count"] else Exit.NO


def _counted(done: dict[str, Any]) -> str:
    instances, studies = done["instance_count"], done["study_count"]
    return f"{instances} {_many('instance', instances)} of {studies} {_many('study', studies)}"


def _many(noun: str, count: int) -> str:
    return noun if count == 1 else {"study": "studies"}.get(noun, noun + "s")


def _quoted(word: str) -> str:
    return word if word.replace("=", "").replace(".", "").isalnum() else "'" + word.replace("'", "'\\''") + "'"


def _asked(question: str) -> bool:
    """Without a terminal nobody can answer: the caller must have said --yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Invalid(f"{question} Nobody is here to ask: say --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
