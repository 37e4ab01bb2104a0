"""The intake log. See segment.pyi for what it promises and engine/keep/intake_format.py for its bytes."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from native.cursor cimport bytes_of, data_of
from native.gate cimport monotonic_ns, pwrite_all
from native.latency cimport LATENCY_BUCKETS, LATENCY_FIRST_NS, latency_note
from native.ledger cimport (
    ACCEPTED,
    FAILED,
    FILES_MAX,
    FULL,
    STOPPED,
    TOO_LARGE,
    File,
    Outcome,
    Place,
    ledger_acknowledge,
    ledger_add_file,
    ledger_await_need,
    ledger_await_written,
    ledger_begin,
    ledger_charge,
    ledger_drained,
    ledger_end,
    ledger_fail,
    ledger_files,
    ledger_hurry,
    ledger_mark_written,
    ledger_refuse,
    ledger_remove_file,
    ledger_reserve,
    ledger_rotate,
    ledger_stop,
    ledger_suspect,
    ledger_sync,
    ledger_wait,
)
from native.record cimport CONTEXT_BYTES_MAX, RECORD_HEAD_BYTES, aligned, seal_record
from native.xxh cimport xxh128

from native.scan import Entry, Scan, scan  # no-cython-lint

cdef enum:
    KIND_OF_INSTANCE = 1

KIND_INSTANCE = KIND_OF_INSTANCE
KIND_SPOOLED = 2
KIND_NOTE = 3


cdef class Log:
    def __cinit__(
        self, *, int64_t first_lsn, int64_t stamp_floor, int64_t ring_capacity, int wait_ms_max, bint external_ack,
        int64_t backlog_bytes_max=0
    ):
        if not ledger_begin(&self.ledger, first_lsn, stamp_floor, ring_capacity):
            raise MemoryError
        self.ledger.wait_ms_max, self.ledger.external_ack = wait_ms_max, external_ack
        if backlog_bytes_max:
            self.ledger.backlog_bytes_max = backlog_bytes_max
        self._failure = ""

    def __dealloc__(self):
        ledger_end(&self.ledger)

    # -- segments ---------------------------------------------------------------------------------------------------

    def add_segment(self, int fd, int64_t number, uint64_t generation, uint64_t capacity_bytes):
        if not ledger_add_file(&self.ledger, fd, number, generation, capacity_bytes):
            raise ValueError("too many segments")

    def remove_segment(self, int64_t number):
        ledger_remove_file(&self.ledger, number)

    def retired(self):
        cdef File files[FILES_MAX]
        cdef int i, current, count = ledger_files(&self.ledger, files, &current)
        return [(files[i].number, files[i].last_lsn) for i in range(count) if files[i].closed]

    def rotate(self):
        """Close the segment that is appended to, so that it can be given back although it is not full."""
        ledger_rotate(&self.ledger)

    def await_need(self, int timeout_ms):
        with nogil:
            ledger_await_need(&self.ledger, timeout_ms)

    def charge(self, int64_t bytes_more):
        ledger_charge(&self.ledger, bytes_more)

    def refuse(self, bint refusing):
        ledger_refuse(&self.ledger, refusing)

    # -- in ---------------------------------------------------------------------------------------------------------

    cdef Outcome append(self, uint16_t kind, uint8_t* record, size_t context_length, uint64_t payload_length,
                        const uint8_t* key, uint64_t* lsn) noexcept nogil:
        """Reserve, write and mark one record whose body stands at ``record + 80``."""
        cdef Place place
        cdef uint64_t synced_to = 0
        cdef int fd, error
        cdef uint64_t size = RECORD_HEAD_BYTES + context_length + payload_length
        # A spooled one was admitted when its file began; a decision may be what makes room.
        cdef bint urgent = kind != KIND_OF_INSTANCE
        cdef Outcome outcome = ledger_reserve(&self.ledger, aligned(size), urgent, &place, &fd, &synced_to)
        if outcome != ACCEPTED:
            return outcome
        seal_record(
            record, kind, place.generation, place.lsn, synced_to, place.stamp, context_length, payload_length, key
        )
        error = pwrite_all(fd, record, size, place.offset)
        place.kind, place.context_length, place.payload_length = kind, context_length, payload_length
        memcpy(place.key, key, 16)
        lsn[0] = place.lsn
        return ledger_mark_written(&self.ledger, &place, size, error)

    def append_parts(self, bytes context, int kind, parts, bytes key=None):
        """Python's way in; see ``append`` in the stub."""
        cdef uint8_t* record
        cdef uint8_t own[16]
        cdef uint64_t lsn = 0, total = 0, at
        cdef size_t context_length = len(context)
        cdef const char* context_data = context
        cdef Outcome outcome
        cdef Py_buffer view
        views = [memoryview(part).cast("B") for part in parts]
        total = sum([one.nbytes for one in views])
        if context_length > CONTEXT_BYTES_MAX:
            raise ValueError("the context of a record is too long")
        record = <uint8_t*>malloc(RECORD_HEAD_BYTES + context_length + total)
        if record == NULL:
            raise MemoryError
        try:
            memcpy(record + RECORD_HEAD_BYTES, context_data, context_length)
            at = RECORD_HEAD_BYTES + context_length
            for one in views:
                PyObject_GetBuffer(one, &view, PyBUF_SIMPLE)
                memcpy(record + at, view.buf, view.len)
                at += view.len
                PyBuffer_Release(&view)
            if key is not None:
                memcpy(own, data_of(key), 16)
            with nogil:
                if key is None:
                    xxh128(record + RECORD_HEAD_BYTES + context_length, total, own)
                outcome = self.append(<uint16_t>kind, record, context_length, total, own, &lsn)
        finally:
            free(record)
        raise_for(self, outcome)
        return lsn

    # -- durable ----------------------------------------------------------------------------------------------------

    cdef Outcome wait_for(self, uint64_t lsn) noexcept nogil:
        cdef int64_t begun_ns = monotonic_ns()
        cdef Outcome outcome = ledger_wait(&self.ledger, lsn)
        if outcome == ACCEPTED:
            latency_note(&self.waits, monotonic_ns() - begun_ns)
        return outcome

    def wait(self, uint64_t lsn):
        cdef Outcome outcome
        with nogil:
            outcome = self.wait_for(lsn)
        raise_for(self, outcome)

    def sync(self, uint64_t lsn):
        """Every record up to ``lsn`` is on disk when this returns, whoever acknowledges it. OSError when failed."""
        cdef Outcome outcome
        with nogil:
            outcome = ledger_sync(&self.ledger, lsn)
        raise_for(self, outcome)

    def latencies(self):
        bounds = [(LATENCY_FIRST_NS << i) / 1e9 for i in range(LATENCY_BUCKETS - 1)]
        counts = [self.waits.counts[i] for i in range(LATENCY_BUCKETS)]
        return bounds, counts, self.waits.total_ns / 1e9

    def acknowledge(self, uint64_t lsn):
        ledger_acknowledge(&self.ledger, lsn)

    # -- out --------------------------------------------------------------------------------------------------------

    def drain(self, int count_max, int timeout_ms, int linger_ms=0, int pause_ms=0):
        cdef uint64_t first, last, lsn
        with nogil:
            ledger_await_written(&self.ledger, timeout_ms, linger_ms, pause_ms or linger_ms, count_max, &first, &last)
        if last >= first + <uint64_t>count_max:
            last = first + count_max - 1
        found = [entry_of(&self.ledger.ring[lsn % self.ledger.ring_capacity]) for lsn in range(first, last + 1)]
        if last >= first:
            ledger_drained(&self.ledger, last)
        return found

    def hurry(self):
        ledger_hurry(&self.ledger)

    def acknowledged_lsn(self):
        return self.ledger.acknowledged_lsn

    def written_lsn(self):
        return self.ledger.written_lsn

    # -- ends -------------------------------------------------------------------------------------------------------

    def fail(self, str reason):
        ledger_fail(&self.ledger)
        self._failure = self._failure or reason

    def failure(self):
        if self.ledger.failed and not self._failure:
            return "a write or sync of the intake failed"
        return self._failure

    def suspect(self):
        return ledger_suspect(&self.ledger)

    def stop(self):
        ledger_stop(&self.ledger)

    def statistics(self):
        cdef File files[FILES_MAX]
        cdef int i, current, count = ledger_files(&self.ledger, files, &current)
        return {
            "appends": self.ledger.appends,
            "bytes": self.ledger.bytes,
            "syncs": self.ledger.syncs,
            "sync_ns": self.ledger.sync_ns,
            "segments_free": sum([not files[i].closed and i != current for i in range(count)]),
            "waiting": self.ledger.waiting,
            "backlog_bytes": self.ledger.backlog_bytes,
        }


cdef entry_of(const Place* place):
    """Its context stands before the payload; the reader takes it from the segment."""
    offset = place.offset + RECORD_HEAD_BYTES
    return Entry(
        place.lsn, place.stamp, place.kind, place.segment, place.generation, None, place.context_length,
        offset + place.context_length, place.payload_length, bytes_of(place.key, 16), 0,
    )


cdef void raise_for(Log log, Outcome outcome) except *:
    if outcome == FULL:
        raise TimeoutError("the disk does not answer" if log.suspect() else "the intake is full")
    if outcome == STOPPED:
        raise ConnectionAbortedError("the archive is closing")
    if outcome == TOO_LARGE:
        raise ValueError("larger than an object may be")
    if outcome == FAILED:
        raise OSError(5, log.failure()) if log.failure() else OSError(28, "the spool could not be written")
