"""filmroom send."""

import logging
from collections import Counter
from typing import Any

from engine import Invalid
from filmroom.access import perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import NOTHING, interrupted, many, progress, say, say_json
from filmroom.exits import Exit


async def send(*words: str, json: bool = False, place: Place = HERE) -> int:
    """Send matching studies, series or instances to a known peer by C-STORE, each in a syntax that it takes.

    Exit code 1 when one was not sent or nothing matched, 3 when the peer cannot be reached or refuses the association.
    Sending again is harmless: the same content is the same to any archive.

    Parameters
    ----------
    words
        QUERY... AET: a query as in `filmroom find` (StudyInstanceUID=* is everything), then the peer's AE title as
        `filmroom aet ls` has it.
    json
        One JSON document: matched, sent, warned, failed; and failures with sop_instance_uid and reason.
    """
    if not words or "=" in words[-1]:
        raise Invalid("send where to? The last word is a known AE title: filmroom send PatientID=4711 WS1")
    if len(words) == 1:
        raise Invalid(f"send what? filmroom send PatientID=4711 {words[0]} (StudyInstanceUID=* is everything)")
    if "://" in words[-1]:
        raise Invalid("sending to a URL (STOW-RS) is not there yet: name a known AE title, as `filmroom aet ls` has it")
    failures: list[dict[str, str]] = []
    counts: dict[str, Any] = {"matched": 0, "sent": 0, "warned": 0, "failed": 0}

    def hear(item: dict[str, Any]) -> None:
        if "reason" in item:
            failures.append(item)
            return
        counts.update(item)
        show(_told(counts))

    logging.getLogger("filmroom.dimse").addHandler(logging.NullHandler())  # what fails is told here
    with progress() as show, interrupted(lambda: _told(counts)):
        await perform(place.load(), "send", hear, words=list(words[:-1]), ae_title=words[-1])
    counts.pop("done", None)
    if json:
        say_json({**counts, "failures": failures})
    else:
        for reason, count in Counter(one["reason"] for one in failures).items():
            say(f"not sent: {many('instance', count)}: {reason}")
        print(f"{_told(counts)} to {words[-1].strip()}" if counts["matched"] else NOTHING)
    return Exit.OK if counts["matched"] and not counts["failed"] else Exit.NO


def _told(counts: dict[str, Any]) -> str:
    taken = counts["sent"] + counts["warned"]
    warned = f" ({counts['warned']} with a warning)" if counts["warned"] else ""
    return f"{taken} of {many('instance', counts['matched'])} sent{warned}"
