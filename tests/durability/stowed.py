"""The whole archive, stored to by STOW-RS over a socket, three instances a request, by clients in the same process:
what they are told stands in the recorded log where they were told it."""

import http.client
import json
from functools import partial

import trio

from engine.errors import Unavailable
from protocols.web import Health, WebSettings
from protocols.web.app import serve
from tests.durability.files import Send
from tests.durability.stowing import HEADERS, REQUEST_COUNT, TIMEOUT_SECONDS, body_of
from tests.durability.whole import Whole


class Stowed(Whole):
    """An open archive and its web."""

    together = REQUEST_COUNT

    def store_all(self, sends: list[Send]) -> None:
        """One request. Raises Unavailable unless it is answered that all are kept."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("POST", "/dicomweb/studies", body_of([send.file() for send in sends]), HEADERS)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except http.client.HTTPException as error:
            raise Unavailable(type(error).__name__) from error
        finally:
            connection.close()
        kept = [item["00081155"]["Value"][0] for item in said.get("00081199", {}).get("Value", [])]
        if answer.status not in (200, 202) or kept != [send.sop_instance_uid for send in sends]:
            raise Unavailable(f"answered with {answer.status}")

    async def _stay(self) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self._port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(
                partial(serve, [listener], Health(), self._archive, WebSettings(), shutdown=self._closing)
            )
            await super()._stay()
