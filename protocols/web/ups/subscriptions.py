"""Who is told of changes: subscribe, unsubscribe, suspend (PS3.18 11.10 to 11.12), and listen (PS3.18 8.10.4)."""

from typing import Final
from urllib.parse import quote

from engine.worklist import ALL, FILTERED, checked_ae_title
from protocols.web import doorstep, links
from protocols.web.forms.handshake import accepted
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.routing import Parameter
from protocols.web.site import Site
from protocols.web.ups import answers, asked

LOCK: Final = Parameter("deletionlock", "true: workitems that ended are kept until this subscription ends")
FILTER: Final = Parameter("filter", f"of {FILTERED}: attribute=value, several parted by commas")


async def subscribe(request: Request, site: Site) -> Reply:
    """An AE hears of one workitem, of all, or of those that match; 201 with the place of its notifications."""
    said = asked.only(request, (LOCK.name, FILTER.name))
    uid, ae_title = request.parameters["workitem"], request.parameters["ae_title"]
    is_locked = asked.truth_of(said.get(LOCK.name, "false"), LOCK.name)
    if (uid == FILTERED) != (FILTER.name in said):
        raise Problem(400, f"a filter goes with {FILTERED}, and with nothing else")
    keys = asked.filter_of(said[FILTER.name]) if FILTER.name in said else ()
    answer = await site.archive.worklist(
        lambda worklist: worklist.subscribe(uid, ae_title, is_locked=is_locked, keys=keys)
    )
    url = f"ws{links.dicomweb_url(request, site.settings).removeprefix('http')}/subscribers/{quote(ae_title, safe='')}"
    return answers.reply(answer, answers.SUBSCRIBE, request, site.settings, (("Content-Location", url),))


async def unsubscribe(request: Request, site: Site) -> Reply:
    """It hears of that no more, and locks nothing."""
    asked.only(request)
    uid, ae_title = request.parameters["workitem"], request.parameters["ae_title"]
    answer = await site.archive.worklist(lambda worklist: worklist.unsubscribe(uid, ae_title))
    return answers.reply(answer, answers.UNSUBSCRIBE, request, site.settings)


async def notifications(request: Request, site: Site) -> Reply:
    """Open the connection on which an AE hears of what it subscribed to."""
    doorstep.check_origin(request, site.settings)
    headers = accepted(request)
    ae_title = checked_ae_title(request.parameters["ae_title"])
    return Reply(101, headers, await site.notifications.open(ae_title))


async def suspend(request: Request, site: Site) -> Reply:
    """It hears of no new workitems."""
    asked.only(request)
    if request.parameters["workitem"] not in (ALL, FILTERED):
        raise Problem(400, f"what is suspended is the subscription to {ALL} or {FILTERED}")
    ae_title = request.parameters["ae_title"]
    answer = await site.archive.worklist(lambda worklist: worklist.suspend(ae_title))
    return answers.reply(answer, answers.UNSUBSCRIBE, request, site.settings)
