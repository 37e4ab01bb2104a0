"""What the worklist's codes are over HTTP: status and Warning as PS3.18 11.4.3 to 11.12.3 have them. Pure."""

from typing import Final

from engine.worklist import Answer, Code
from protocols.web import links
from protocols.web.messages import Headers, Reply, Request
from protocols.web.problems import Problem
from protocols.web.settings import WebSettings

MISSING: Final = "The Transaction UID is missing."
INCORRECT: Final = "The Transaction UID is incorrect."
_UNCLAIMED: Final = "The target URI did not reference a claimed Workitem."
_STATE: Final = "The submitted request is inconsistent with the current state of the Workitem."
_INSTANCE: Final = "The submitted request is inconsistent with the state of the UPS Instance."
_CANCELED: Final = "The UPS is already in the requested state of CANCELED."

# Status, and the sentence of the Warning header.
Meanings = dict[Code, tuple[int, str]]
CREATE: Final[Meanings] = {
    Code.DONE: (201, ""),
    Code.CREATED_CHANGED: (201, "The Workitem was created with modifications."),
    Code.DUPLICATE: (409, "The Target Workitem already exists."),
}
UPDATE: Final[Meanings] = {
    Code.DONE: (200, ""),
    Code.MISSING: (404, ""),
    Code.WRONG_TRANSACTION: (400, INCORRECT),
    Code.NOT_CLAIMED: (409, _UNCLAIMED),
    Code.ENDED: (400, _STATE),
}
CHANGE_STATE: Final[Meanings] = {
    Code.DONE: (200, ""),
    Code.ALREADY_CANCELED: (200, _CANCELED),
    Code.ALREADY_COMPLETED: (200, "The UPS is already in the requested state of COMPLETED."),
    Code.MISSING: (404, ""),
    Code.WRONG_TRANSACTION: (400, INCORRECT),
    Code.NEVER_RESCHEDULED: (400, _INSTANCE),
    Code.ENDED: (409, _INSTANCE),
    Code.ALREADY_CLAIMED: (409, _INSTANCE),
    Code.NOT_CLAIMED: (409, _INSTANCE),
    Code.NOT_COMPLETE: (409, _INSTANCE),
}
REQUEST_CANCEL: Final[Meanings] = {
    Code.DONE: (202, ""),
    Code.ALREADY_CANCELED: (202, _CANCELED),
    Code.MISSING: (404, ""),
    Code.CANNOT_CANCEL: (409, "The UPS is already COMPLETED."),
    Code.UNREACHABLE: (409, "The performer cannot be contacted."),
}
SUBSCRIBE: Final[Meanings] = {Code.DONE: (201, ""), Code.MISSING: (404, "")}
UNSUBSCRIBE: Final[Meanings] = {Code.DONE: (200, ""), Code.MISSING: (404, "")}


def reply(
    answer: Answer, meanings: Meanings, request: Request, settings: WebSettings, headers: Headers = (), why: str = ""
) -> Reply:
    """What a request is answered with. ``headers``: of success; ``why``: a sentence that says more than the code's.
    Raises Problem."""
    status, sentence = meanings[answer.code]
    sentence = why if why and answer.code is Code.WRONG_TRANSACTION else sentence
    warned: Headers = ()
    if sentence:
        warned = (("Warning", f"299 {links.dicomweb_url(request, settings)}/workitems: {sentence}"),)
    if answer.code.is_failure:
        lacking = f" It lacks {', '.join(answer.lacking)}." if answer.lacking else ""
        raise Problem(status, (sentence or "there is no such thing here") + lacking, warned)
    return Reply(status, headers + warned)
