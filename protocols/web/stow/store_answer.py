"""What became of each instance of a store (PS3.18 10.5.3, I.2): DICOM JSON, status. Pure."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine.model import Stored, Uids
from native.faults import Malformed
from protocols.web import links

CANNOT_UNDERSTAND: Final = 0xC000
NO_RESOURCES: Final = 0xA700
NOT_SOUND: Final = 0xA900
OTHER_STUDY: Final = 0xA901
NOT_SUPPORTED: Final = 0x0122
DUPLICATE: Final = 0x0111

COMMENT: Final = "00000902"  # Error Comment: the one attribute for a sentence
CLASS_UID: Final = "00081150"
INSTANCE_UID: Final = "00081155"
RETRIEVE_URL: Final = "00081190"
WARNING_REASON: Final = "00081196"
FAILURE_REASON: Final = "00081197"
FAILED: Final = "00081198"
REFERENCED: Final = "00081199"
OTHER_FAILURES: Final = "0008119A"

IS_OF_OTHER_STUDY: Final = "the instance is of another study than that of the URL"
NO_UIDS: Final = Uids("", "", "", "")
_WORDS: Final = {
    "version": "kept as a version: this instance is here with other content",
    "elsewhere": "kept: this instance is in another study or series too",
}
_MEANINGS: Final = {9: NOT_SOUND, 10: NOT_SOUND, 13: NO_RESOURCES, 19: NO_RESOURCES}


class Part(msgspec.Struct, frozen=True):
    """One instance of a request: kept (``lsn``), or not, and why."""

    uids: Uids = NO_UIDS
    lsn: int = 0
    failure: int = 0
    sentence: str = ""


def failure_of(fault: int) -> int:
    """The reason for one of ``native.faults``."""
    return _MEANINGS.get(fault, CANNOT_UNDERSTAND)


def sentence_of(fault: int) -> str:
    """Its sentence."""
    return str(Malformed(fault))


def status_of(parts: Sequence[Part], stored: Sequence[Stored]) -> int:
    """200: all are kept; 202: some, or with a warning; 409: none."""
    if not stored:
        return 409
    is_plain = len(stored) == len(parts) and all(one.outcome not in _WORDS for one in stored)
    return 200 if is_plain else 202


def answer(parts: Sequence[Part], stored: Sequence[Stored], root: str) -> dict[str, Any]:
    """The response module; ``stored``: of the parts that were kept, in their order."""
    failed = [part for part in parts if not part.lsn]
    named = [part for part in failed if part.uids.sop_instance_uid]
    said: dict[str, Any] = {}
    studies = {one.instance.study_uid for one in stored}
    if len(studies) == 1:
        said[RETRIEVE_URL] = _one("UR", links.study_url(root, studies.pop()))
    if named:
        said[FAILED] = _sequence([_failed(part) for part in named])
    said[REFERENCED] = _sequence([_kept(one, root) for one in stored])
    if len(named) < len(failed):
        said[OTHER_FAILURES] = _sequence([_reason(part) for part in failed if not part.uids.sop_instance_uid])
    return said


def _kept(one: Stored, root: str) -> dict[str, Any]:
    instance = one.instance
    url = links.instance_url(root, instance.study_uid, instance.series_uid, instance.sop_instance_uid)
    said = {
        CLASS_UID: _one("UI", instance.sop_class_uid),
        INSTANCE_UID: _one("UI", instance.sop_instance_uid),
        RETRIEVE_URL: _one("UR", url),
    }
    if one.outcome not in _WORDS:
        return said
    return {COMMENT: _one("LO", _WORDS[one.outcome])} | said | {WARNING_REASON: _one("US", DUPLICATE)}


def _failed(part: Part) -> dict[str, Any]:
    reason = _reason(part)
    uids = {CLASS_UID: part.uids.sop_class_uid, INSTANCE_UID: part.uids.sop_instance_uid}
    named = {tag: _one("UI", uid) if uid else {"vr": "UI"} for tag, uid in uids.items()}
    return {COMMENT: reason[COMMENT]} | named | {FAILURE_REASON: reason[FAILURE_REASON]}


def _reason(part: Part) -> dict[str, Any]:
    return {COMMENT: _one("LO", part.sentence), FAILURE_REASON: _one("US", part.failure)}


def _one(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def _sequence(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
