"""Commitment: who asked whether instances are kept for good, until he is told; and the look at each that answers him.

A request is a file ``node/commitment/NAME``, on disk before the request is acknowledged, removed when it is settled.
Its bytes: msgpack of ``CommitmentRequest``; its name: that of the request, so that asking again replaces.
*Committed* means: the object and the journal that names it are on disk (a folder: after a checkpoint), and the object,
read again, is what was written.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol, TypeVar

import msgspec
import trio

from engine.errors import Corrupt, Invalid, Missing, Unavailable
from engine.house import House
from engine.keep.content_digest import Examination
from engine.keep.keeping import read_pieces
from engine.keep.paths import object_key
from engine.limits import LIMITS
from engine.model import CommitmentRequest, Instance, Key, Level, Query, Reference, Verdict

log = logging.getLogger("filmroom.commitment")

FOLDER = "commitment"
SOP_INSTANCE_UID = "00080018"
STRETCH_PIECES = 32  # read in one go: between two of them it can be cancelled
T = TypeVar("T")


class Blocking(Protocol):
    """Runs a function in a thread."""

    def __call__(self, work: Callable[..., T], *arguments: object) -> Awaitable[T]: ...


class Commitments:
    """The open requests of one node."""

    def __init__(self, house: House, blocking: Blocking) -> None:
        self._house = house
        self._blocking = blocking
        self._bytes_of: dict[str, int] = {}
        self._writing = trio.Lock()

    # -- requests ------------------------------------------------------------------------------------------------------

    async def open(self, requestor: str, transaction_uid: str, references: Sequence[Reference]) -> CommitmentRequest:
        """A new request, durable when this returns. Raises Unavailable when too many are open or the disk is full."""
        request = CommitmentRequest(
            requestor=requestor,
            transaction_uid=transaction_uid,
            asked_us=self._house.clock.now_us(),
            references=tuple(references),
        )
        encoded = msgspec.msgpack.encode(request)
        others = sum(size for name, size in self._bytes_of.items() if name != request.name)
        if others + len(encoded) > LIMITS.commitments_bytes_max or len(self._bytes_of) >= LIMITS.commitments_count_max:
            raise Unavailable("too many requests for commitment are open")
        async with self._writing:
            await self._blocking(self._house.node.replace, f"{FOLDER}/{request.name}", encoded)
        self._bytes_of[request.name] = len(encoded)
        return request

    async def left(self) -> list[CommitmentRequest]:
        """What an earlier run of this node has left open. Call once, before ``open``."""
        requests = await self._blocking(lambda: list(self._left()))
        self._bytes_of.update({request.name: len(msgspec.msgpack.encode(request)) for request in requests})
        return requests

    async def load(self, name: str) -> CommitmentRequest:
        """An open request. Raises Missing when it is settled, Corrupt."""
        return await self._blocking(self._load, name)

    async def settle(self, request: CommitmentRequest) -> bool:
        """Forget it; False when it was asked for again meanwhile and stays. After power loss it may be open again."""
        with suppress(Missing):
            if await self.load(request.name) != request:
                return False
        self._bytes_of.pop(request.name, None)
        await self._blocking(self._house.node.remove, f"{FOLDER}/{request.name}")
        return True

    def age_seconds(self, request: CommitmentRequest) -> float:
        """How long ago it was asked."""
        return (self._house.clock.now_us() - request.asked_us) / 1e6

    def _left(self) -> Iterator[CommitmentRequest]:
        for name in self._house.node.names(FOLDER):
            try:
                yield self._load(name)
            except (Corrupt, Missing) as error:
                log.error(f"a request for commitment is lost: {error}")

    def _load(self, name: str) -> CommitmentRequest:
        encoded = self._house.node.read(f"{FOLDER}/{name}")
        if encoded is None:
            raise Missing("the request is settled")
        try:
            return msgspec.msgpack.decode(encoded, type=CommitmentRequest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Corrupt(f"node/{FOLDER}/{name} is damaged") from error

    # -- answers -------------------------------------------------------------------------------------------------------

    async def lacks(self, references: Sequence[Reference]) -> bool:
        """Whether some instance is not there (yet). Raises Unavailable."""
        return await self._blocking(lambda: len(self._kept(references)) < len(uids_of(references)))

    async def judge(self, references: Sequence[Reference]) -> list[Verdict]:
        """A verdict for each, after everything that is there has been made durable and read again.

        Raises Unavailable (later), Fenced (a sync failed).
        """
        kept = await self._blocking(self._made_durable, references)
        return [await self._verdict(reference, kept.get(reference.sop_instance_uid, ())) for reference in references]

    def _made_durable(self, references: Sequence[Reference]) -> dict[str, list[Instance]]:
        kept, house = self._kept(references), self._house
        ours = [one.lsn for found in kept.values() for one in found if one.writer == house.writer]
        house.ingest.wait_spilled(LIMITS.find_wait_seconds_max, max(ours, default=0))
        house.store.sync_pending()
        return kept

    def _kept(self, references: Sequence[Reference]) -> dict[str, list[Instance]]:
        """Every instance of these UIDs, of whatever study."""
        view, found = self._house.view(), dict[str, list[Instance]]()
        uids = uids_of(references)
        for at in range(0, len(uids), LIMITS.commitment_lookup_count_max):
            key = Key(SOP_INSTANCE_UID, uids[at : at + LIMITS.commitment_lookup_count_max])
            for instance in view.instances(Query(level=Level.INSTANCE, keys=(key,))):
                found.setdefault(instance.sop_instance_uid, []).append(instance)
        return found

    async def _verdict(self, reference: Reference, kept: Sequence[Instance]) -> Verdict:
        if not kept:
            return "missing"
        of_class = [instance for instance in kept if instance.sop_class_uid == reference.sop_class_uid]
        if not of_class:
            return "conflict"
        whole = [await self._is_whole(instance) for instance in of_class]
        return "committed" if all(whole) else "failed"

    async def _is_whole(self, instance: Instance) -> bool:
        """Read again, from the store and not the intake, a stretch at a time: all the bytes that were written."""
        key = object_key(self._house.tenant, instance.key)
        examination, pieces = Examination(), read_pieces(self._house.store, key)
        try:
            while await self._blocking(_examine, pieces, examination):
                pass
        except (Missing, Corrupt) as error:
            log.critical(f"not committed: {error}")
            return False
        finally:
            pieces.close()
        whole = examination.address == instance.key[:32] and examination.size_bytes == instance.size_bytes
        proven = not instance.blake3_root or examination.proof.root == instance.blake3_root
        if not (whole and proven):
            log.critical(f"not committed: {key} is not what was written")
        return whole and proven


def _examine(pieces: Iterator[bytes], examination: Examination) -> bool:
    """Look at the next stretch; False when it was the last."""
    count = 0
    for piece in islice(pieces, STRETCH_PIECES):
        examination.add(piece)
        count += 1
    return count == STRETCH_PIECES


def uids_of(references: Sequence[Reference]) -> tuple[str, ...]:
    """The SOP instances that are named, each once. Raises Invalid when there are none."""
    if not references:
        raise Invalid("no instance is named")
    return tuple(dict.fromkeys(reference.sop_instance_uid for reference in references))
