"""Store instances (STOW-RS, PS3.18 10.5): streamed into the intake, acknowledged by one group sync."""

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
import trio

from engine.model import Origin
from native.body import EVENT_END, EVENT_GONE, EVENT_IDLE, PIECES
from protocols.web import links
from protocols.web.forms import accept, native_xml
from protocols.web.forms.media_types import media_type_of
from protocols.web.forms.multipart import Malformed, boundary_of
from protocols.web.messages import Lent, Reply, Request
from protocols.web.ports import Upload
from protocols.web.problems import Disconnected, Problem, late
from protocols.web.site import Site
from protocols.web.stow import store_answer
from protocols.web.stow.incoming import DICOM, Files, Incoming
from protocols.web.stow.incoming_metadata import METADATA_TYPES, Described
from protocols.web.stow.keeper import Keeper

GIVES: Final = ("application/dicom+json", "application/json", native_xml.MEDIA_TYPE)
OFFERS: Final = tuple(map(accept.Offer, GIVES))
TAKES: Final = (*(f'multipart/related; type="{name}"' for name in (DICOM, *METADATA_TYPES)), DICOM)
BODY_BYTES_MAX: Final = 1 << 42  # of one request; each instance and the disk have limits of their own
LEASE_IDLE_MS: Final = 5  # a silent client's thread serves others
LEASE_BYTES: Final = 32 << 20  # then others may have the thread


async def store(request: Request, site: Site) -> Reply:
    """Keep what the body holds, and say what became of each instance."""
    offer = accept.choose(OFFERS, request.accepts())
    if offer is None:
        raise Problem(406, f"the answer is given as {', '.join(GIVES)}")
    opened = _opener_of(request)
    root = links.dicomweb_url(request, site.settings)
    with site.uploads.one() as bounds:
        upload = site.archive.upload(Origin(how="stow", peer=request.peer), bounds.gather_bytes_max)
        lent = await request.body.lend()
        incoming = opened(upload, PIECES if lent is None else lent.length)
        finish = partial(_finish, incoming, upload, root, offer.media_type)
        try:
            if lent is None:
                return await _by_pieces(request, incoming, finish, bounds.batch_bytes, site)
            return await _by_socket(lent, incoming, finish, site)
        except Malformed as error:
            raise Problem(400, str(error)) from None
        finally:
            incoming.close()


async def _by_socket(lent: Lent, incoming: Incoming, finish: Callable[[], Reply], site: Site) -> Reply:
    """A thread receives while something comes; while nothing does, the loop waits. The thread that has read the end
    goes on to the answer."""
    received, is_whole, counted = lent.received, False, 0

    def lease() -> Reply | int:
        nonlocal is_whole
        event = incoming.lease(received, lent.fileno, LEASE_IDLE_MS, LEASE_BYTES)
        is_whole = event == EVENT_END
        return finish() if is_whole else event

    try:
        while isinstance(outcome := await site.uploads.run(lease), int):
            received = b""
            if outcome == EVENT_GONE:
                raise Disconnected
            lent.patience.came(incoming.body.received_bytes - counted)
            counted = incoming.body.received_bytes
            if outcome == EVENT_IDLE:
                lent.patience.waited(LEASE_IDLE_MS / 1000)
                incoming.body.trim()
                await _until_more_comes(lent)
        return outcome
    finally:
        lent.give_back(incoming.body.rest if is_whole else b"", is_whole)


async def _until_more_comes(lent: Lent) -> None:
    try:
        with lent.patience.waiting():
            await trio.lowlevel.wait_readable(lent.fileno)
    except trio.TooSlowError:
        raise late() from None


async def _by_pieces(
    request: Request, incoming: Incoming, finish: Callable[[], Reply], batch_bytes: int, site: Site
) -> Reply:
    """Several pieces a thread's hop: a hop is dearer than a piece. The last pieces go with the hop to the answer."""
    pieces: list[bytes] = []
    count = 0
    async for piece in request.body:
        pieces.append(piece)
        count += len(piece)
        if count >= batch_bytes:
            await site.uploads.run(incoming.feed, pieces)
            pieces, count = [], 0

    def end() -> Reply:
        incoming.feed(pieces)
        incoming.finish()
        return finish()

    return await site.uploads.run(end)


def _finish(incoming: Incoming, upload: Upload, root: str, media_type: str) -> Reply:
    """One wait for all that was kept, the answer."""
    parts = incoming.settled()
    if not parts:
        raise Problem(400, "the request holds no instance")
    stored = upload.settle([part.lsn for part in parts if part.lsn])
    written = msgspec.json.encode(store_answer.answer(parts, stored, root))
    if media_type == native_xml.MEDIA_TYPE:
        written = native_xml.document(written)
    return Reply(store_answer.status_of(parts, stored), (("Content-Type", media_type),), written)


def _opener_of(request: Request) -> Callable[[Upload, int], Incoming]:
    """What takes such a body, of that length. Raises Problem."""
    content_type = media_type_of(request.header("content-type"))
    if content_type is None:
        raise Problem(415, "the request has no Content-Type")
    part_type = content_type.parameters.get("type", DICOM).lower()
    is_parted = content_type.name == "multipart/related"
    if content_type.name not in ("multipart/related", DICOM) or part_type not in (DICOM, *METADATA_TYPES):
        raise Problem(415, f"instances come as {' or '.join(TAKES)}")
    try:
        boundary = boundary_of(content_type) if is_parted else b""
    except Malformed as error:
        raise Problem(400, str(error)) from None
    bytes_max, study_uid = request.body.bytes_max, request.parameters.get("study", "")
    if part_type in METADATA_TYPES:
        return lambda upload, length: Described(Keeper(upload, study_uid), boundary, length, bytes_max)
    return lambda upload, length: Files(upload, boundary, length, bytes_max, study_uid)
