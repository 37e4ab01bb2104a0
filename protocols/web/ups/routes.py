"""The table of routes of the worklist."""

from typing import Final

from protocols.web.links import ROOT
from protocols.web.qido.searching import GIVES, PARAMETERS
from protocols.web.routing import Handler, Parameter, Route
from protocols.web.ups import subscriptions, workitems
from protocols.web.ups.asked import BODY_BYTES_MAX, TAKES

WORKITEMS: Final = f"{ROOT}/workitems"
WORKITEM: Final = f"{WORKITEMS}/{{workitem}}"
SUBSCRIBER: Final = f"{WORKITEM}/subscribers/{{ae_title}}"


def _look(path: str, handler: Handler, summary: str, *parameters: Parameter) -> Route:
    return Route(
        method="GET", path=path, handler=handler, scope="read", summary=summary, gives=GIVES, parameters=parameters
    )


def _act(method: str, path: str, handler: Handler, summary: str, *parameters: Parameter) -> Route:
    return Route(
        method=method,
        path=path,
        handler=handler,
        scope="write",
        summary=summary,
        takes=TAKES,
        parameters=parameters,
        body_bytes_max=BODY_BYTES_MAX,
    )


def _say(method: str, path: str, handler: Handler, summary: str, *parameters: Parameter) -> Route:
    return Route(method=method, path=path, handler=handler, scope="write", summary=summary, parameters=parameters)


ROUTES: Final = (
    _act("POST", WORKITEMS, workitems.create, "Create a workitem (UPS-RS, PS3.18 11.4)", workitems.NEW_UID),
    _look(WORKITEMS, workitems.search, "Search for workitems (UPS-RS, PS3.18 11.9)", *PARAMETERS),
    _look(WORKITEM, workitems.retrieve, "Retrieve a workitem (UPS-RS, PS3.18 11.5)"),
    _act("POST", WORKITEM, workitems.update, "Update a workitem (UPS-RS, PS3.18 11.6)", workitems.TRANSACTION),
    _act("PUT", f"{WORKITEM}/state", workitems.change_state, "Change a workitem's state (UPS-RS, PS3.18 11.7)"),
    _act(
        "POST",
        f"{WORKITEM}/cancelrequest",
        workitems.request_cancel,
        "Request that a workitem be canceled (UPS-RS, PS3.18 11.8)",
        workitems.REQUESTER,
    ),
    _say(
        "POST",
        SUBSCRIBER,
        subscriptions.subscribe,
        "Subscribe to a workitem or a worklist (UPS-RS, PS3.18 11.10)",
        subscriptions.LOCK,
        subscriptions.FILTER,
    ),
    _say("DELETE", SUBSCRIBER, subscriptions.unsubscribe, "Unsubscribe (UPS-RS, PS3.18 11.11)"),
    Route(
        method="GET",
        path=f"{ROOT}/subscribers/{{ae_title}}",
        handler=subscriptions.notifications,
        scope="read",
        summary="Open a WebSocket with the notifications of an AE (UPS-RS, PS3.18 8.10.4)",
    ),
    _say("POST", f"{SUBSCRIBER}/suspend", subscriptions.suspend, "Suspend a subscription (UPS-RS, PS3.18 11.12)"),
)
