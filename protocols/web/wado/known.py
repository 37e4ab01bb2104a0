"""Validators of what is made of one object (RFC 9110 8.8.3, 13.1): its key names its bytes, so that the same question
about it has the same answer. Viewers that come back ask for less than they show."""

from typing import Final

import msgspec
import xxhash

from engine.model import Instance
from protocols.web.forms.accept import Offer
from protocols.web.forms.conditional import has_already
from protocols.web.forms.ranges import Range, range_of
from protocols.web.messages import Headers, Reply, Request

_VARY: Final = ("Vary", "Accept")


class Known:
    """The validator of one answer. ``etag``: weak unless the answer is the same byte for byte whenever it is given."""

    def __init__(self, request: Request, instance: Instance, offer: Offer, *, is_exact: bool = False) -> None:
        self._request = request
        said = (instance.key, request.path, *(f"{name}={value}" for name, value in request.query))
        digest = xxhash.xxh3_64_hexdigest("\0".join((*said, offer.media_type, offer.transfer_syntax_uid)).encode())
        self.etag = f'"{digest}"' if is_exact and not offer.is_multipart else f'W/"{digest}"'

    def unchanged(self) -> Reply | None:
        """304 to who has it already."""
        if self._request.header("if-none-match") and has_already(self._request, self.etag):
            return Reply(304, self.headers)
        return None

    @property
    def headers(self) -> Headers:
        """What goes with the answer."""
        return (("ETag", self.etag), _VARY)

    def on(self, reply: Reply) -> Reply:
        """The answer with them."""
        return msgspec.structs.replace(reply, headers=reply.headers + self.headers)

    def range_of(self, length: int) -> Range:
        """The range asked for. Raises Problem (416)."""
        return range_of(self._request, length, self.etag)
