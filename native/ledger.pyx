"""See ledger.pxd."""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from native.gate cimport fdatasync, fr_gate, gate_free, gate_make, gate_wait, lock, monotonic_ns, now_us, unlock, wake

cdef enum:
    NS_PER_MS = 1000000
    WAKE_NS = 1000000000     # no wait sleeps longer without looking again


cdef bint ledger_begin(
    Ledger* ledger, uint64_t first_lsn, uint64_t stamp_floor, size_t ring_capacity
) noexcept nogil:
    memset(ledger, 0, sizeof(Ledger))
    ledger.gate = gate_make()
    ledger.ring = <Place*>calloc(ring_capacity, sizeof(Place))
    ledger.ring_capacity = ring_capacity
    ledger.current = -1
    ledger.first_lsn = ledger.next_lsn = first_lsn
    ledger.written_lsn = ledger.drained_lsn = first_lsn - 1
    ledger.synced_lsn = ledger.acknowledged_lsn = first_lsn - 1
    ledger.last_stamp = stamp_floor
    return ledger.gate != NULL and ledger.ring != NULL


cdef void ledger_end(Ledger* ledger) noexcept nogil:
    free(ledger.ring)
    gate_free(ledger.gate)
    ledger.ring, ledger.gate = NULL, NULL


cdef inline int64_t deadline_of(int wait_ms) noexcept nogil:
    return monotonic_ns() + <int64_t>wait_ms * NS_PER_MS


# -- segments ---------------------------------------------------------------------------------------------------------


cdef bint ledger_add_file(
    Ledger* ledger, int fd, int64_t number, uint64_t generation, uint64_t capacity
) noexcept nogil:
    cdef File* file
    cdef bint has_room
    lock(ledger.gate)
    has_room = ledger.files_count < FILES_MAX
    if has_room:
        file = &ledger.files[ledger.files_count]
        memset(file, 0, sizeof(File))
        file.fd, file.number, file.generation, file.capacity = fd, number, generation, capacity
        ledger.files_count += 1
        wake(ledger.gate)
    unlock(ledger.gate)
    return has_room


cdef void ledger_remove_file(Ledger* ledger, int64_t number) noexcept nogil:
    cdef int i, k
    lock(ledger.gate)
    for i in range(ledger.files_count):
        if ledger.files[i].number == number:
            if i == ledger.current:
                ledger.current = -1
            elif ledger.current > i:
                ledger.current -= 1
            for k in range(i, ledger.files_count - 1):
                ledger.files[k] = ledger.files[k + 1]
            ledger.files_count -= 1
            break
    unlock(ledger.gate)


cdef int ledger_files(Ledger* ledger, File* files, int* current) noexcept nogil:
    cdef int count
    lock(ledger.gate)
    count, current[0] = ledger.files_count, ledger.current
    memcpy(files, ledger.files, count * sizeof(File))
    unlock(ledger.gate)
    return count


cdef void ledger_rotate(Ledger* ledger) noexcept nogil:
    lock(ledger.gate)
    if ledger.current >= 0 and ledger.files[ledger.current].used:
        ledger.files[ledger.current].closed = True
        ledger.current = -1
    unlock(ledger.gate)


# -- reserved and written ---------------------------------------------------------------------------------------------


cdef bint find_room(Ledger* ledger, uint64_t size) noexcept nogil:
    """Make ``current`` a segment with room for ``size`` bytes. Holds the lock."""
    cdef File* file
    cdef int i
    if ledger.current >= 0:
        file = &ledger.files[ledger.current]
        if file.capacity - file.used >= size:
            return True
        file.closed = True
        ledger.current = -1
    for i in range(ledger.files_count):
        file = &ledger.files[i]
        if not file.closed and file.used == 0 and file.capacity >= size:
            ledger.current = i
            return True
    return False


cdef Outcome ledger_reserve(Ledger* ledger, uint64_t size, Place* place, int* fd, uint64_t* synced_to) noexcept nogil:
    """An LSN, a stamp and a place in a segment; waits for room up to the limit."""
    cdef File* file
    cdef Outcome outcome = ACCEPTED
    cdef uint64_t now
    cdef int64_t deadline = deadline_of(ledger.wait_ms_max)
    lock(ledger.gate)
    while True:
        if ledger.failed:
            outcome = FAILED
        elif ledger.stopped:
            outcome = STOPPED
        elif ledger.next_lsn - ledger.drained_lsn - 1 < ledger.ring_capacity and find_room(ledger, size):
            break
        elif monotonic_ns() >= deadline:
            outcome = FULL
        if outcome != ACCEPTED:
            unlock(ledger.gate)
            return outcome
        gate_wait(<fr_gate*>ledger.gate, min(deadline, monotonic_ns() + WAKE_NS))
    file = &ledger.files[ledger.current]
    now = now_us()
    ledger.last_stamp = now if now > ledger.last_stamp else ledger.last_stamp + 1
    place.lsn, place.stamp, place.offset = ledger.next_lsn, ledger.last_stamp, file.used
    place.segment, place.generation, place.written = file.number, file.generation, False
    ledger.ring[place.lsn % ledger.ring_capacity].written = False
    ledger.ring[place.lsn % ledger.ring_capacity].lsn = place.lsn
    fd[0] = file.fd
    synced_to[0] = ledger.synced_lsn
    file.used += size
    file.last_lsn = place.lsn
    ledger.next_lsn += 1
    unlock(ledger.gate)
    return ACCEPTED


cdef Outcome ledger_mark_written(Ledger* ledger, Place* place, uint64_t size, int error) noexcept nogil:
    """The record is written whole (or the log has failed); the contiguous prefix moves on."""
    cdef Place* next_place
    cdef int i
    lock(ledger.gate)
    if error:
        ledger.failed = True
        wake(ledger.gate)
        unlock(ledger.gate)
        return FAILED
    place.written = True
    ledger.ring[place.lsn % ledger.ring_capacity] = place[0]
    for i in range(ledger.files_count):
        if ledger.files[i].number == place.segment:
            ledger.files[i].dirty = True
    ledger.appends += 1
    ledger.bytes += size
    while ledger.written_lsn + 1 < ledger.next_lsn:
        next_place = &ledger.ring[(ledger.written_lsn + 1) % ledger.ring_capacity]
        if next_place.lsn != ledger.written_lsn + 1 or not next_place.written:
            break
        ledger.written_lsn += 1
    wake(ledger.gate)
    unlock(ledger.gate)
    return ACCEPTED


cdef void ledger_await_written(Ledger* ledger, int timeout_ms, uint64_t* first, uint64_t* last) noexcept nogil:
    cdef int64_t deadline = deadline_of(timeout_ms)
    lock(ledger.gate)
    while ledger.written_lsn <= ledger.drained_lsn and not ledger.stopped:
        if monotonic_ns() >= deadline:
            break
        gate_wait(<fr_gate*>ledger.gate, deadline)
    first[0], last[0] = ledger.drained_lsn + 1, ledger.written_lsn
    unlock(ledger.gate)


cdef void ledger_drained(Ledger* ledger, uint64_t last) noexcept nogil:
    lock(ledger.gate)
    ledger.drained_lsn = last
    wake(ledger.gate)
    unlock(ledger.gate)


# -- synced and acknowledged ------------------------------------------------------------------------------------------


cdef Outcome ledger_sync(Ledger* ledger, uint64_t lsn) noexcept nogil:
    cdef Outcome outcome
    lock(ledger.gate)
    outcome = sync_to(ledger, lsn)
    unlock(ledger.gate)
    return outcome


cdef Outcome ledger_wait(Ledger* ledger, uint64_t lsn) noexcept nogil:
    cdef Outcome outcome = ACCEPTED
    cdef int64_t deadline = deadline_of(ledger.wait_ms_max)
    lock(ledger.gate)
    ledger.waiting += 1
    if not ledger.external_ack:
        outcome = sync_to(ledger, lsn)
    else:
        while ledger.acknowledged_lsn < lsn and outcome == ACCEPTED:
            if ledger.failed:
                outcome = FAILED
            elif monotonic_ns() >= deadline:
                outcome = FULL
            else:
                gate_wait(<fr_gate*>ledger.gate, monotonic_ns() + WAKE_NS)
    ledger.waiting -= 1
    unlock(ledger.gate)
    return outcome


cdef Outcome sync_to(Ledger* ledger, uint64_t lsn) noexcept nogil:
    """Lead a group sync or follow one until ``lsn`` is on disk. Holds the lock, lets it go meanwhile."""
    while ledger.synced_lsn < lsn:
        if ledger.failed:
            return FAILED
        if ledger.syncing or ledger.written_lsn < lsn:
            if ledger.stopped and ledger.written_lsn < lsn and lsn >= ledger.next_lsn:
                return STOPPED
            gate_wait(<fr_gate*>ledger.gate, monotonic_ns() + WAKE_NS)
        else:
            lead(ledger)
    return ACCEPTED


cdef void lead(Ledger* ledger) noexcept nogil:
    """One group: sync every segment with new writes, then move the acknowledged prefix. Lets the lock go meanwhile."""
    cdef int fds[FILES_MAX]
    cdef int count = 0, i
    cdef bint lost = False
    cdef uint64_t target = ledger.written_lsn
    cdef int64_t begun = monotonic_ns()
    ledger.syncing = True
    for i in range(ledger.files_count):
        if ledger.files[i].dirty:
            ledger.files[i].dirty = False
            fds[count] = ledger.files[i].fd
            count += 1
    unlock(ledger.gate)
    for i in range(count):
        lost = fdatasync(fds[i]) != 0 or lost
    lock(ledger.gate)
    ledger.syncing = False
    ledger.syncs += 1
    ledger.sync_ns += monotonic_ns() - begun
    if lost:
        ledger.failed = True
    else:
        if target > ledger.synced_lsn:
            ledger.synced_lsn = target
        if not ledger.external_ack and target > ledger.acknowledged_lsn:
            ledger.acknowledged_lsn = target
    wake(ledger.gate)


cdef void ledger_acknowledge(Ledger* ledger, uint64_t lsn) noexcept nogil:
    lock(ledger.gate)
    if lsn > ledger.acknowledged_lsn:
        ledger.acknowledged_lsn = lsn
    wake(ledger.gate)
    unlock(ledger.gate)


# -- ends -------------------------------------------------------------------------------------------------------------


cdef void ledger_fail(Ledger* ledger) noexcept nogil:
    lock(ledger.gate)
    ledger.failed = True
    wake(ledger.gate)
    unlock(ledger.gate)


cdef void ledger_stop(Ledger* ledger) noexcept nogil:
    lock(ledger.gate)
    ledger.stopped = True
    wake(ledger.gate)
    unlock(ledger.gate)
