"""The intake log. See segment.pyi for what it promises and engine/keep/intake_format.py for its bytes."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from native.gate cimport (
    fdatasync,
    fr_gate,
    gate_free,
    gate_make,
    gate_wait,
    lock,
    map_file,
    monotonic_ns,
    munmap,
    now_us,
    pwrite_all,
    unlock,
    wake,
)
from native.record cimport CONTEXT_BYTES_MAX, RECORD_HEAD_BYTES, aligned, is_sound, looks_like_record, seal_record
from native.cursor cimport le16, le32, le64
from native.xxh cimport xxh128

KIND_INSTANCE = 1
KIND_SPOOLED = 2
KIND_NOTE = 3

cdef enum:
    MS = 1000000
    WAKE_NS = 1000000000     # no wait sleeps longer without looking again


class Entry:
    """A record's place: what drains out of the log, and what a scan finds."""

    __slots__ = (
        "context", "context_length", "generation", "key", "kind", "lsn", "payload_length", "payload_offset", "segment",
        "stamp", "synced_to",
    )

    def __init__(
        self, lsn, stamp, kind, segment, generation, context, context_length, payload_offset, payload_length, key, synced_to
    ):
        self.lsn = lsn
        self.stamp = stamp
        self.kind = kind
        self.segment = segment
        self.generation = generation
        self.context = context
        self.context_length = context_length
        self.payload_offset = payload_offset
        self.payload_length = payload_length
        self.key = key
        self.synced_to = synced_to


class Scan:
    """What stands in one segment."""

    __slots__ = ("end", "entries", "synced_to_max", "torn")

    def __init__(self, entries, synced_to_max, end, torn):
        self.entries = entries
        self.synced_to_max = synced_to_max
        self.end = end
        self.torn = torn


cdef class Log:
    def __cinit__(
        self, *, int64_t first_lsn, int64_t stamp_floor, int64_t ring_capacity, int wait_ms_max, bint external_ack
    ):
        self.gate = gate_make()
        memset(&self.state, 0, sizeof(State))
        self.state.ring = <Place*>calloc(ring_capacity, sizeof(Place))
        if self.gate == NULL or self.state.ring == NULL:
            raise MemoryError
        self.state.ring_capacity = ring_capacity
        self.state.current = -1
        self.state.first_lsn = self.state.next_lsn = first_lsn
        self.state.written_lsn = self.state.drained_lsn = first_lsn - 1
        self.state.synced_lsn = self.state.acknowledged_lsn = first_lsn - 1
        self.state.last_stamp = stamp_floor
        self.state.wait_ms_max = wait_ms_max
        self.state.external_ack = external_ack
        self._failure = ""

    def __dealloc__(self):
        free(self.state.ring)
        gate_free(self.gate)

    # -- segments ---------------------------------------------------------------------------------------------------

    def add_segment(self, int fd, int64_t number, uint64_t generation, uint64_t capacity_bytes):
        cdef File* file
        lock(self.gate)
        if self.state.files_count == FILES_MAX:
            unlock(self.gate)
            raise ValueError("too many segments")
        file = &self.state.files[self.state.files_count]
        memset(file, 0, sizeof(File))
        file.fd, file.number, file.generation, file.capacity = fd, number, generation, capacity_bytes
        self.state.files_count += 1
        wake(self.gate)
        unlock(self.gate)

    def remove_segment(self, int64_t number):
        cdef int i, k
        lock(self.gate)
        for i in range(self.state.files_count):
            if self.state.files[i].number == number:
                if i == self.state.current:
                    self.state.current = -1
                elif self.state.current > i:
                    self.state.current -= 1
                for k in range(i, self.state.files_count - 1):
                    self.state.files[k] = self.state.files[k + 1]
                self.state.files_count -= 1
                break
        unlock(self.gate)

    def retired(self):
        lock(self.gate)
        found = [
            (self.state.files[i].number, self.state.files[i].last_lsn)
            for i in range(self.state.files_count)
            if self.state.files[i].closed
        ]
        unlock(self.gate)
        return found

    def rotate(self):
        """Close the segment that is appended to, so that it can be given back although it is not full."""
        lock(self.gate)
        if self.state.current >= 0 and self.state.files[self.state.current].used:
            self.state.files[self.state.current].closed = True
            self.state.current = -1
        unlock(self.gate)

    # -- in ---------------------------------------------------------------------------------------------------------

    cdef Outcome append(self, uint16_t kind, uint8_t* record, size_t context_length, uint64_t payload_length,
                        const uint8_t* key, uint64_t* lsn) noexcept nogil:
        """Reserve, write and mark one record whose body stands at ``record + 80``."""
        cdef Place place
        cdef uint64_t synced_to = 0
        cdef int fd, error
        cdef uint64_t size = RECORD_HEAD_BYTES + context_length + payload_length
        cdef Outcome outcome = reserve(self, aligned(size), &place, &fd, &synced_to)
        if outcome != ACCEPTED:
            return outcome
        seal_record(record, kind, place.generation, place.lsn, synced_to, place.stamp, context_length, payload_length, key)
        error = pwrite_all(fd, record, size, place.offset)
        place.kind, place.context_length, place.payload_length = kind, context_length, payload_length
        memcpy(place.key, key, 16)
        lsn[0] = place.lsn
        return mark_written(self, &place, size, error)

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
                memcpy(own, <const char*>key, 16)
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
        cdef Outcome outcome = ACCEPTED
        cdef int64_t deadline = monotonic_ns() + <int64_t>self.state.wait_ms_max * MS
        lock(self.gate)
        self.state.waiting += 1
        if not self.state.external_ack:
            outcome = sync_to(self, lsn)
        else:
            while self.state.acknowledged_lsn < lsn and outcome == ACCEPTED:
                if self.state.failed:
                    outcome = FAILED
                elif monotonic_ns() >= deadline:
                    outcome = FULL
                else:
                    gate_wait(<fr_gate*>self.gate, monotonic_ns() + WAKE_NS)
        self.state.waiting -= 1
        unlock(self.gate)
        return outcome

    def wait(self, uint64_t lsn):
        cdef Outcome outcome
        with nogil:
            outcome = self.wait_for(lsn)
        raise_for(self, outcome)

    def sync(self, uint64_t lsn):
        """Every record up to ``lsn`` is on disk when this returns, whoever acknowledges it. Raises OSError when failed."""
        cdef Outcome outcome
        with nogil:
            lock(self.gate)
            outcome = sync_to(self, lsn)
            unlock(self.gate)
        raise_for(self, outcome)

    def acknowledge(self, uint64_t lsn):
        lock(self.gate)
        if lsn > self.state.acknowledged_lsn:
            self.state.acknowledged_lsn = lsn
        wake(self.gate)
        unlock(self.gate)

    # -- out --------------------------------------------------------------------------------------------------------

    def drain(self, int count_max, int timeout_ms):
        cdef int64_t deadline = monotonic_ns() + <int64_t>timeout_ms * MS
        cdef uint64_t first, last, lsn
        with nogil:
            lock(self.gate)
            while self.state.written_lsn <= self.state.drained_lsn and not self.state.stopped:
                if monotonic_ns() >= deadline:
                    break
                gate_wait(<fr_gate*>self.gate, deadline)
            first, last = self.state.drained_lsn + 1, self.state.written_lsn
            unlock(self.gate)
        if last >= first + <uint64_t>count_max:
            last = first + count_max - 1
        found = [entry_of(&self.state.ring[lsn % self.state.ring_capacity]) for lsn in range(first, last + 1)]
        lock(self.gate)
        self.state.drained_lsn = last if last >= first else self.state.drained_lsn
        wake(self.gate)
        unlock(self.gate)
        return found

    def acknowledged_lsn(self):
        return self.state.acknowledged_lsn

    def written_lsn(self):
        return self.state.written_lsn

    # -- ends -------------------------------------------------------------------------------------------------------

    def fail(self, str reason):
        lock(self.gate)
        self.state.failed = True
        wake(self.gate)
        unlock(self.gate)
        self._failure = self._failure or reason

    def failure(self):
        if self.state.failed and not self._failure:
            return "a write or sync of the intake failed"
        return self._failure

    def stop(self):
        lock(self.gate)
        self.state.stopped = True
        wake(self.gate)
        unlock(self.gate)

    def statistics(self):
        free_count = 0
        lock(self.gate)
        for i in range(self.state.files_count):
            free_count += not self.state.files[i].closed and i != self.state.current
        unlock(self.gate)
        return {
            "appends": self.state.appends,
            "bytes": self.state.bytes,
            "syncs": self.state.syncs,
            "sync_ns": self.state.sync_ns,
            "segments_free": free_count,
            "waiting": self.state.waiting,
        }


cdef entry_of(const Place* place):
    """Its context stands before the payload; the reader takes it from the segment."""
    offset = place.offset + RECORD_HEAD_BYTES
    return Entry(
        place.lsn, place.stamp, place.kind, place.segment, place.generation, None, place.context_length,
        offset + place.context_length, place.payload_length, (<const char*>place.key)[:16], 0,
    )


cdef void raise_for(Log log, Outcome outcome) except *:
    if outcome == FULL:
        raise TimeoutError("the intake is full")
    if outcome == STOPPED:
        raise ConnectionAbortedError("the archive is closing")
    if outcome == FAILED:
        raise OSError(5, log.failure())


cdef bint find_room(Log log, uint64_t size) noexcept nogil:
    """Make ``current`` a segment with room for ``size`` bytes. Holds the lock."""
    cdef State* state = &log.state
    cdef File* file
    cdef int i
    if state.current >= 0:
        file = &state.files[state.current]
        if file.capacity - file.used >= size:
            return True
        file.closed = True
        state.current = -1
    for i in range(state.files_count):
        file = &state.files[i]
        if not file.closed and file.used == 0 and file.capacity >= size:
            state.current = i
            return True
    return False


cdef Outcome reserve(Log log, uint64_t size, Place* place, int* fd, uint64_t* synced_to) noexcept nogil:
    """An LSN, a stamp and a place in a segment; waits for room up to the limit."""
    cdef State* state = &log.state
    cdef File* file
    cdef Outcome outcome = ACCEPTED
    cdef uint64_t now
    cdef int64_t deadline = monotonic_ns() + <int64_t>state.wait_ms_max * MS
    lock(log.gate)
    while True:
        if state.failed:
            outcome = FAILED
        elif state.stopped:
            outcome = STOPPED
        elif state.next_lsn - state.drained_lsn - 1 < state.ring_capacity and find_room(log, size):
            break
        elif monotonic_ns() >= deadline:
            outcome = FULL
        if outcome != ACCEPTED:
            unlock(log.gate)
            return outcome
        gate_wait(<fr_gate*>log.gate, min(deadline, monotonic_ns() + WAKE_NS))
    file = &state.files[state.current]
    now = now_us()
    state.last_stamp = now if now > state.last_stamp else state.last_stamp + 1
    place.lsn, place.stamp, place.offset = state.next_lsn, state.last_stamp, file.used
    place.segment, place.generation, place.written = file.number, file.generation, False
    state.ring[place.lsn % state.ring_capacity].written = False
    state.ring[place.lsn % state.ring_capacity].lsn = place.lsn
    fd[0] = file.fd
    synced_to[0] = state.synced_lsn
    file.used += size
    file.last_lsn = place.lsn
    state.next_lsn += 1
    unlock(log.gate)
    return ACCEPTED


cdef Outcome mark_written(Log log, Place* place, uint64_t size, int error) noexcept nogil:
    """The record is written whole (or the log has failed); the contiguous prefix moves on."""
    cdef State* state = &log.state
    cdef Place* next_place
    cdef int i
    lock(log.gate)
    if error:
        state.failed = True
        wake(log.gate)
        unlock(log.gate)
        return FAILED
    place.written = True
    state.ring[place.lsn % state.ring_capacity] = place[0]
    for i in range(state.files_count):
        if state.files[i].number == place.segment:
            state.files[i].dirty = True
    state.appends += 1
    state.bytes += size
    while state.written_lsn + 1 < state.next_lsn:
        next_place = &state.ring[(state.written_lsn + 1) % state.ring_capacity]
        if next_place.lsn != state.written_lsn + 1 or not next_place.written:
            break
        state.written_lsn += 1
    wake(log.gate)
    unlock(log.gate)
    return ACCEPTED


cdef Outcome sync_to(Log log, uint64_t lsn) noexcept nogil:
    """Lead a group sync or follow one until ``lsn`` is on disk. Holds the lock, lets it go meanwhile."""
    cdef State* state = &log.state
    while state.synced_lsn < lsn:
        if state.failed:
            return FAILED
        if state.syncing or state.written_lsn < lsn:
            if state.stopped and state.written_lsn < lsn and lsn >= state.next_lsn:
                return STOPPED
            gate_wait(<fr_gate*>log.gate, monotonic_ns() + WAKE_NS)
        else:
            lead(log)
    return ACCEPTED


cdef void lead(Log log) noexcept nogil:
    """One group: sync every segment with new writes, then move the acknowledged prefix. Holds the lock, lets it go meanwhile."""
    cdef State* state = &log.state
    cdef int fds[FILES_MAX]
    cdef int count = 0, i
    cdef bint lost = False
    cdef uint64_t target = state.written_lsn
    cdef int64_t begun = monotonic_ns()
    state.syncing = True
    for i in range(state.files_count):
        if state.files[i].dirty:
            state.files[i].dirty = False
            fds[count] = state.files[i].fd
            count += 1
    unlock(log.gate)
    for i in range(count):
        lost = fdatasync(fds[i]) != 0 or lost
    lock(log.gate)
    state.syncing = False
    state.syncs += 1
    state.sync_ns += monotonic_ns() - begun
    if lost:
        state.failed = True
    else:
        if target > state.synced_lsn:
            state.synced_lsn = target
        if not state.external_ack and target > state.acknowledged_lsn:
            state.acknowledged_lsn = target
    wake(log.gate)


def scan(int fd, int64_t number, uint64_t generation, uint64_t capacity_bytes):
    """See the stub. Looks on behind a torn record too: what was written in parallel may stand whole after it."""
    cdef uint64_t at = 0, end = 0, synced_to_max = 0
    cdef const uint8_t* data = <const uint8_t*>map_file(fd, capacity_bytes)
    cdef bint torn = False
    if data == NULL:
        raise OSError(5, "a segment of the intake cannot be mapped")
    found = []
    try:
        while at + RECORD_HEAD_BYTES <= capacity_bytes:
            if is_sound(data + at, generation, capacity_bytes - at):
                synced_to_max = max(synced_to_max, le64(data + at + 24))
                found.append(scanned(data + at, at, number, generation))
                at += aligned(RECORD_HEAD_BYTES + le32(data + at + 40) + le64(data + at + 48))
                end = at
                continue
            torn = torn or looks_like_record(data + at, generation)
            with nogil:
                at += 8
                while at + RECORD_HEAD_BYTES <= capacity_bytes and not looks_like_record(data + at, generation):
                    at += 8
    finally:
        munmap(<void*>data, capacity_bytes)
    return Scan(found, synced_to_max, end, torn)


cdef scanned(const uint8_t* record, uint64_t at, int64_t number, uint64_t generation):
    context_length = le32(record + 40)
    context = (<const char*>record)[RECORD_HEAD_BYTES : RECORD_HEAD_BYTES + context_length]
    key = (<const char*>record)[56:72]
    return Entry(
        le64(record + 16), le64(record + 32), le16(record + 6), number, generation, context, context_length,
        at + RECORD_HEAD_BYTES + context_length, le64(record + 48), key, le64(record + 24),
    )
