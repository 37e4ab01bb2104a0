"""What the journal does to one epoch from outside: winning a number, sealing, and asking which LSNs it carries."""

from collections import deque
from collections.abc import Sequence
from typing import Literal

from engine.clock import Clock
from engine.errors import Conflict, Corrupt, Missing, Unavailable
from engine.keep import paths
from engine.keep.formats import BatchHead, decode_batch_head, encode_batch
from engine.keep.nodes import Epoch
from engine.keep.objects import ObjectStore
from engine.limits import LIMITS


def write_once(store: ObjectStore, key: str, data: bytes) -> Literal["mine", "another"]:
    """Creates ``key`` durably and says whose bytes it holds now.

    Raises ``Unavailable`` while nobody knows: then the same bytes must be tried again before any others. ``Fenced``.
    """
    for _ in range(LIMITS.append_attempts_max):
        try:
            store.create(key, [data], durable=True)
        except (Conflict, Unavailable) as error:
            doubt = error
        else:
            return "mine"
        with_bytes = _read(store, key)
        if with_bytes is not None:
            return "mine" if with_bytes == data else "another"
    raise Unavailable(f"the journal cannot be written: {doubt}")


def seal(store: ObjectStore, tenant: str, epoch: Epoch, previous: Epoch | None, nonce: str, clock: Clock) -> BatchHead:
    """Ends an epoch by winning its next number; the seal at its end, whoever wrote it. Raises ``Unavailable``.

    ``previous``, the epoch before it, tells an epoch without batches which LSNs and stamps were there.
    """
    last = last_head(store, tenant, epoch)
    before = last or (last_head(store, tenant, previous) if previous else None)
    if last is not None and last.kind == "sealed":
        # Who wrote it may have died before its name was durable, and others will be told that it is there.
        key = paths.batch_key(tenant, epoch.writer, epoch.epoch, last.number)
        store.put(key, [store.get(key)], durable=True)
    while last is None or last.kind != "sealed":
        number = last.number + 1 if last else 1
        head = BatchHead(
            kind="sealed",
            tenant=tenant,
            writer=epoch.writer,
            epoch=epoch.epoch,
            number=number,
            nonce=nonce,
            lsn_max_before=before.lsn_max if before else 0,
            stamp_max=before.stamp_max if before else 0,
            written_us=clock.now_us(),
        )
        key = paths.batch_key(tenant, epoch.writer, epoch.epoch, number)
        won = write_once(store, key, encode_batch(head, [])) == "mine"
        before = last = head if won else decode_batch_head(store.get(key))
    return last


def last_head(store: ObjectStore, tenant: str, epoch: Epoch) -> BatchHead | None:
    """The head of an epoch's highest batch; None while it has none."""
    keys = deque(store.list(paths.epoch_prefix(tenant, epoch.writer, epoch.epoch)), maxlen=1)
    return decode_batch_head(store.get(keys[0])) if keys else None


class JournalledLsns:
    """The LSNs that sealed epochs of one writer carry; reads backwards, only as far as it is asked. One thread's."""

    def __init__(self, store: ObjectStore, tenant: str, epochs: Sequence[Epoch], lsn_max: int) -> None:
        """``epochs`` ascending, all sealed; ``lsn_max`` the highest LSN in them."""
        self._store = store
        self._tenant = tenant
        self._epochs = list(epochs)
        self._number = self._epochs[-1].seal - 1 if self._epochs else 0
        self._unread_max = lsn_max
        self._lsns: set[int] = set()

    def __contains__(self, lsn: int) -> bool:
        while lsn <= self._unread_max and self._read_one():
            pass
        return lsn in self._lsns

    def _read_one(self) -> bool:
        while self._epochs and self._number < 1:
            self._epochs.pop()
            self._number = self._epochs[-1].seal - 1 if self._epochs else 0
        if not self._epochs:
            return False
        epoch = self._epochs[-1]
        key = paths.batch_key(self._tenant, epoch.writer, epoch.epoch, self._number)
        try:
            head = decode_batch_head(self._store.get(key))
        except Missing:
            raise Corrupt(f"{key} is missing below the seal of its epoch") from None
        for first, last in head.lsns:
            self._lsns.update(range(first, last + 1))
        self._unread_max = head.lsn_max_before
        self._number -= 1
        return True


def _read(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.get(key)
    except Missing:
        return None
