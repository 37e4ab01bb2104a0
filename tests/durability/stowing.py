"""kill -9 on ``filmroom serve`` while several clients store to it over the web, several instances a request."""

import http.client
import json
import random
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.durability.facts import examine
from tests.durability.files import Send
from tests.durability.serving import Server

SENDERS: Final = 4
REQUEST_COUNT: Final = 3  # instances of one request
COUNT: Final = 48
PIECE_BYTES: Final = 1000
TIMEOUT_SECONDS: Final = 60
BOUNDARY: Final = "b0undary"
HEADERS: Final = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}

Answered = Callable[[list[int], bool], None]


def kill_server(folder: Path, seed: int) -> list[str]:
    """Twice: a life ended in the middle of what it takes. What was answered with 200 is there, and nothing half."""
    chance = random.Random(f"stow {seed}")
    sends = [Send(seed, number, large=number % 5 == 0) for number in range(COUNT)]
    promised: set[int] = set()
    for life in range(2):
        part = [(index, send) for index, send in enumerate(sends) if index % 2 == life]
        with Server(folder / "store") as server:
            promised |= killed_load(server, part, kill_after=chance.randrange(0, len(part) * 3 // 4))
        if server.process.returncode != -signal.SIGKILL:
            return [f"the server ended by itself: {server.errors!r}"]
    return examine(folder / "store", sends, promised, thorough=False)


def killed_load(server: Server, sends: Sequence[tuple[int, Send]], kill_after: int) -> set[int]:
    """Who was told success; killed as soon as more than so many were, while other requests are under way."""
    told: set[int] = set()
    refused: list[int] = []
    lock = threading.Lock()

    def answered(indices: list[int], is_kept: bool) -> None:
        with lock:
            if is_kept:
                told.update(indices)
            else:
                refused.extend(indices)
            if len(told) > kill_after:
                server.process.kill()

    shares = [sends[first::SENDERS] for first in range(SENDERS)]
    senders = [threading.Thread(target=send, args=(server.http, share, answered)) for share in shares]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(TIMEOUT_SECONDS)
    assert not any(sender.is_alive() for sender in senders), "a client waits for an answer that does not come"
    assert not refused, f"{len(refused)} refused"
    server.process.kill()
    return told


def send(port: int, sends: Sequence[tuple[int, Send]], answered: Answered) -> None:
    """Request after request on one connection, in small pieces, until it is gone."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    for first in range(0, len(sends), REQUEST_COUNT):
        part = sends[first : first + REQUEST_COUNT]
        body = body_of([one.file() for _, one in part])
        pieces = (body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES))
        try:
            connection.request("POST", "/dicomweb/studies", pieces, HEADERS, encode_chunked=True)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return
        kept = {item["00081155"]["Value"][0] for item in said.get("00081199", {}).get("Value", [])}
        is_kept = answer.status == 200 and kept == {one.sop_instance_uid for _, one in part}
        answered([index for index, _ in part], is_kept)


def body_of(files: Sequence[bytes]) -> bytes:
    """Begun by a line end, and without the last one, as some clients do."""
    head = f"\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + file for file in files) + f"\r\n--{BOUNDARY}--".encode()
