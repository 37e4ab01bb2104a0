"""Figures: what the node says of itself, and what the archive holds, by modality."""

from typing import Any

import msgspec

from protocols.web.messages import Reply, Request
from protocols.web.rest import forms
from protocols.web.rest.history import EVERY_SECONDS
from protocols.web.rest.peers import household
from protocols.web.site import Site


async def status(request: Request, site: Site) -> Reply:
    """As ``filmroom status --json``."""
    forms.only(request)
    return forms.answer(await household(site).status())


async def history(request: Request, site: Site) -> Reply:
    """Figures of the last minutes, the oldest first."""
    forms.only(request)
    samples = [msgspec.structs.asdict(one) for one in site.history.samples]
    told = [{"at": forms.shown(one.pop("at_us")), **one} for one in samples]
    bounds = site.history.bounds_seconds
    return forms.answer({"every_seconds": EVERY_SECONDS, "query_times_up_to_seconds": bounds, "samples": told})


async def statistics(request: Request, site: Site) -> Reply:
    """What the archive holds; reckoned anew when the last reckoning is a minute old."""
    forms.only(request)
    holdings = await site.reckoning.holdings()
    said: dict[str, Any] = msgspec.to_builtins(holdings)
    reckoned_us = said.pop("reckoned_us")
    return forms.answer(said | {"reckoned": forms.shown(reckoned_us)})
