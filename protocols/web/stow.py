"""Store instances (STOW-RS, PS3.18 10.5): streamed into the intake, acknowledged by one group sync."""

from typing import Final

import msgspec

from engine.model import Origin
from protocols.web import accept, links, native_xml, store_answer
from protocols.web.incoming import DICOM, Instances, Keeper, Parted, Receiver, Single
from protocols.web.incoming_metadata import METADATA_TYPES, Described
from protocols.web.media_types import MediaType, media_type_of
from protocols.web.messages import Reply, Request
from protocols.web.multipart import Malformed, boundary_of
from protocols.web.ports import Upload
from protocols.web.problems import Problem
from protocols.web.site import Site

GIVES: Final = ("application/dicom+json", "application/json", native_xml.MEDIA_TYPE)
OFFERS: Final = tuple(map(accept.Offer, GIVES))
TAKES: Final = (*(f'multipart/related; type="{name}"' for name in (DICOM, *METADATA_TYPES)), DICOM)
BODY_BYTES_MAX: Final = 1 << 42  # of one request; each instance and the disk have limits of their own


async def store(request: Request, site: Site) -> Reply:
    """Keep what the body holds, and say what became of each instance."""
    offer = accept.choose(OFFERS, request.accepts())
    if offer is None:
        raise Problem(406, f"the answer is given as {', '.join(GIVES)}")
    content_type = media_type_of(request.header("content-type"))
    if content_type is None:
        raise Problem(415, "the request has no Content-Type")
    root = links.dicomweb_url(request, site.settings)
    with site.uploads.one() as bounds:
        upload = site.archive.upload(Origin(how="stow", peer=request.peer), bounds.gather_bytes_max)
        receiver = _receiver_of(content_type, Keeper(upload, request.parameters.get("study", "")))
        try:
            body = _reader_of(content_type, receiver)
            rest = await _receive(request, body, bounds.batch_bytes, site)
            return await site.uploads.run(_finish, body, rest, receiver, upload, root, offer.media_type)
        except Malformed as error:
            raise Problem(400, str(error)) from None
        finally:
            receiver.close()


async def _receive(request: Request, body: Parted | Single, batch_bytes: int, site: Site) -> list[bytes]:
    """Feed the body, several pieces a thread's hop: a hop is dearer than a piece. The last pieces are left for the hop
    that ends the request."""
    pieces: list[bytes] = []
    count = 0
    async for piece in request.body:
        pieces.append(piece)
        count += len(piece)
        if count >= batch_bytes:
            await site.uploads.run(body.feed, pieces)
            pieces, count = [], 0
    return pieces


def _finish(
    body: Parted | Single, rest: list[bytes], receiver: Receiver, upload: Upload, root: str, media_type: str
) -> Reply:
    """The last pieces, one wait for all that was kept, the answer."""
    body.feed(rest)
    body.finish()
    if not receiver.parts:
        raise Problem(400, "the request holds no instance")
    stored = upload.settle([part.lsn for part in receiver.parts if part.lsn])
    written = msgspec.json.encode(store_answer.answer(receiver.parts, stored, root))
    if media_type == native_xml.MEDIA_TYPE:
        written = native_xml.document(written)
    return Reply(store_answer.status_of(receiver.parts, stored), (("Content-Type", media_type),), written)


def _receiver_of(content_type: MediaType, keeper: Keeper) -> Receiver:
    part_type = content_type.parameters.get("type", DICOM).lower()
    if part_type in METADATA_TYPES:
        return Described(keeper)
    if part_type != DICOM:
        raise Problem(415, f"instances come as {' or '.join(TAKES)}")
    return Instances(keeper)


def _reader_of(content_type: MediaType, receiver: Receiver) -> Parted | Single:
    if content_type.name == DICOM:
        return Single({}, receiver)
    if content_type.name != "multipart/related":
        raise Problem(415, f"instances come as {' or '.join(TAKES)}")
    return Parted(boundary_of(content_type), receiver)
