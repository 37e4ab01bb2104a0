"""What is true, without the index: intake, objects and journal put together as the archive does, and no more.

The trials run on it as on the whole archive. When they fail here, the fault is below the index.
"""

import hashlib
import io
import threading
from contextlib import ExitStack

import msgspec
import pydicom

from engine.clock import Clock, Identifiers
from engine.errors import Unavailable
from engine.keep.content_digest import prove
from engine.keep.fold import add, instance, place
from engine.keep.intake import Intake
from engine.keep.journal import Journal
from engine.keep.keeping import keep_object
from engine.keep.node_directory import open_node_directory
from engine.keep.paths import object_key
from engine.keep.state import EMPTY, InstanceState
from engine.keep.stores import open_store
from engine.keep.verify import verify
from engine.model import DEFAULT_TENANT, Instance, Origin, StoreRecord
from engine.settings import StoreSettings
from native.segment import Entry
from tests.durability.files import Send
from tests.durability.snapshot import Name, Snapshot, digest

WAIT_SECONDS = 20


class Cellar:
    """An open archive without an index. Thread-safe."""

    together = 1  # that are sent at a time

    def __init__(self, settings: StoreSettings) -> None:
        self._object_ack = settings.ack == "object"
        with ExitStack() as held:
            self._node = open_node_directory(settings)
            held.callback(self._node.close)
            self._node.lock()
            self._writer = self._node.writer_id(Identifiers())
            self._store = open_store(settings)
            held.callback(self._store.close)
            self._journal = Journal.open(self._store, DEFAULT_TENANT, self._writer, Clock())
            self._states: dict[Name, InstanceState] = {}
            self._reread()
            self._intake = Intake(
                self._node,
                settings,
                Clock(),
                sync_objects=self._store.sync_pending,
                lsn_floor=self._journal.last_lsn(),
                stamp_floor=self._journal.last_stamp(),
            )
            held.pop_all()
        self._changed = threading.Condition()
        self._spilled_lsn = 0
        self._failure: BaseException | None = None
        self._stopping = False
        self._before = self._intake.log.acknowledged_lsn()
        self._thread = threading.Thread(target=self._spill_forever, daemon=True)
        self._thread.start()

    def hand_in(self, send: Send) -> int:
        """Append and wait for the acknowledgement, as an association does."""
        lsn = self._intake.store(Origin(how="dimse"), [send.file()])
        self._intake.wait(lsn)
        return lsn

    def store(self, send: Send) -> str:
        """As ``hand_in``; and it can be found when this returns."""
        self._wait_spilled(self.hand_in(send))
        return "kept"

    def snapshot(self) -> Snapshot:
        self._wait_spilled(self._intake.log.acknowledged_lsn())
        found = {}
        with self._changed:
            for name, state in self._states.items():
                current = instance(state, *name)
                assert current is not None
                found[name] = (current.key, current.version_count, digest(self._read(current)))
        counts = (len({name[0] for name in found}), len({name[:2] for name in found}), len(found))
        levels = zip(("study", "series", "instance"), counts, strict=True)
        return Snapshot(found, {level: [{}] * count for level, count in levels}, counts)

    def verify(self) -> list[str]:
        self._wait_spilled(self._intake.log.acknowledged_lsn())
        return [str(found) for found in verify(self._store, self._journal, None, True) if found.is_damage]

    def reindex(self) -> int:
        """Folds the journal anew."""
        with self._changed:
            self._states.clear()
            return self._reread()

    def close(self) -> None:
        self._intake.log.stop()
        with self._changed:
            self._stopping = True
        self._thread.join(WAIT_SECONDS)
        if self._failure:
            raise self._failure
        self._intake.checkpoint()
        self._journal.close()
        self._intake.close()
        self._store.close()
        self._node.close()

    # -- behind the acknowledgement --------------------------------------------------------------------------------

    def _spill_forever(self) -> None:
        try:
            if self._intake.recovered:
                self._spill(self._intake.recovered, recovered=True)
            with self._changed:
                self._spilled_lsn = max(self._spilled_lsn, self._before)
                self._changed.notify_all()
            while not self._failure:
                if entries := self._intake.drain(16, 50):
                    self._spill(entries, recovered=False)
                elif self._stopping:
                    break
        except BaseException as error:  # noqa: BLE001  whoever waits shall hear of it
            self._intake.log.fail(f"{type(error).__name__}: {error}")
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _spill(self, entries: list[Entry], *, recovered: bool) -> None:
        last = entries[-1].lsn
        self._intake.sync(last)
        records = []
        for entry in entries:
            with self._changed:
                name, record = self._described(entry)
                state = self._states.get(name, EMPTY)
                placed = place(state, record).record
                if placed.key == record.key:
                    placed = msgspec.structs.replace(placed, key=self._kept(entry, record.key, recovered))
                self._states[name] = add(state, placed)
                records.append(placed)
        if self._object_ack:
            self._store.sync_pending()
        journalled = self._journal.lsns_journalled
        fresh = [record for record in records if not (recovered and record.lsn in journalled)]
        if fresh:
            self._journal.append(fresh)
        self._intake.spilled(last)
        if self._object_ack:
            self._intake.log.acknowledge(last)
        if self._intake.checkpoint_due() or self._store.pending_count >= 16:
            self._intake.checkpoint()
        with self._changed:
            self._spilled_lsn = last
            self._changed.notify_all()

    def _kept(self, entry: Entry, name: str, recovered: bool) -> str:
        source = self._intake.pin(entry.lsn)
        assert source is not None
        try:
            return keep_object(self._store, DEFAULT_TENANT, name, source, rewrite=recovered)
        finally:
            self._intake.unpin(entry.lsn, source)

    def _described(self, entry: Entry) -> tuple[Name, StoreRecord]:
        file = bytes(self._intake.payload(entry))
        found = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True)
        name = (str(found.StudyInstanceUID), str(found.SeriesInstanceUID), str(found.SOPInstanceUID))
        content = f"{found.SOPInstanceUID} {found.ImageComments}".encode()
        return name, StoreRecord(
            writer=self._writer,
            lsn=entry.lsn,
            stamp=entry.stamp,
            study_uid=name[0],
            series_uid=name[1],
            sop_instance_uid=name[2],
            sop_class_uid=str(found.SOPClassUID),
            transfer_syntax_uid=str(found.file_meta.TransferSyntaxUID),
            key=entry.key.hex(),
            size_bytes=len(file),
            content_digest=hashlib.sha256(content).digest()[:16],
            header=b"",
            blake3_root=prove([file]).root,
            origin=msgspec.msgpack.decode(self._intake.context(entry), type=Origin),
        )

    def _reread(self) -> int:
        count = 0
        for _, batch in self._journal.read({}):
            for record in batch.records:
                name = (record.study_uid, record.series_uid, record.sop_instance_uid)
                self._states[name] = add(self._states.get(name, EMPTY), record)
                count += 1
        return count

    def _read(self, current: Instance) -> bytes:
        return self._store.get(object_key(DEFAULT_TENANT, current.key))

    def _wait_spilled(self, lsn: int) -> None:
        with self._changed:
            done = self._changed.wait_for(lambda: self._spilled_lsn >= lsn or self._failure is not None, WAIT_SECONDS)
            if self._failure or not done:
                raise self._failure or Unavailable("the spill does not come to its end")
