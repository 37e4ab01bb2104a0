"""Known peers: the only places that a node connects to."""

import msgspec

from protocols.web.messages import Reply, Request
from protocols.web.ports import Household
from protocols.web.problems import Problem
from protocols.web.rest import forms
from protocols.web.site import Site


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A peer to know. ``tls_ca``: a PEM file on the node."""

    ae_title: str
    host: str
    port: int
    character_set: str = ""
    tls: bool = False
    tls_ca: str = ""
    tls_name: str = ""


async def peers(request: Request, site: Site) -> Reply:
    """Every known peer, by AE title."""
    forms.only(request)
    return forms.answer({"peers": household(site).peers()})


async def add(request: Request, site: Site) -> Reply:
    """Known from now on, or changed."""
    forms.only(request)
    said = await forms.body_of(request, Named)
    return forms.answer(await household(site).add_peer(msgspec.structs.asdict(said)), 201)


async def remove(request: Request, site: Site) -> Reply:
    """Forgotten; 404 when it is not known, 400 for one that the configuration names."""
    forms.only(request)
    await household(site).remove_peer(request.parameters["ae_title"])
    return Reply(204)


async def echo(request: Request, site: Site) -> Reply:
    """Whether it answers a C-ECHO; if not, why."""
    forms.only(request)
    await request.body.read()
    return forms.answer(await household(site).echo(request.parameters["ae_title"]))


def household(site: Site) -> Household:
    """Raises Problem when the archive is served without a node around it."""
    if site.household is None:
        raise Problem(404, "there is no node around this archive")
    return site.household
