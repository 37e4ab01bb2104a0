"""See ledger.pxd."""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from native.gate cimport CONDITIONS, fdatasync, gate_free, gate_make, gate_wait
from native.gate cimport lock, monotonic_ns, now_us, unlock, wake, wake_one

cdef enum:
    NS_PER_MS = 1000000
    WAKE_NS = 1000000000     # no wait sleeps longer without looking again
    NO_LSN = 0xFFFFFFFFFFFFFFFFU


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
    ledger.drain_from = NO_LSN
    ledger.backlog_bytes_max = 0x7FFFFFFFFFFFFFFF
    return ledger.gate != NULL and ledger.ring != NULL


cdef void ledger_end(Ledger* ledger) noexcept nogil:
    free(ledger.ring)
    gate_free(ledger.gate)
    ledger.ring, ledger.gate = NULL, NULL


cdef inline int64_t deadline_of(int wait_ms) noexcept nogil:
    return monotonic_ns() + <int64_t>wait_ms * NS_PER_MS


cdef inline void pause(Ledger* ledger, int which, int64_t deadline) noexcept nogil:
    gate_wait(ledger.gate, which, min(deadline, monotonic_ns() + WAKE_NS))


cdef void wake_all(Ledger* ledger) noexcept nogil:
    cdef int which
    for which in range(CONDITIONS):
        wake(ledger.gate, which)


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
        wake(ledger.gate, ROOM)
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
            wake(ledger.gate, NEED)
            return True
    return False


cdef Outcome admitted(Ledger* ledger, bint urgent, int64_t deadline) noexcept nogil:
    """Whether anything may come in. Holds the lock. A disk that hangs or is nearly full is not waited for again."""
    if ledger.failed:
        return FAILED
    if ledger.stopped:
        return STOPPED
    if ledger.refusing and not urgent:
        return FULL
    return FULL if ledger_suspect(ledger) or monotonic_ns() >= deadline else ACCEPTED


cdef Outcome ledger_reserve(
    Ledger* ledger, uint64_t size, bint urgent, Place* place, int* fd, uint64_t* synced_to
) noexcept nogil:
    """An LSN, a stamp and a place in a segment; waits for room up to the limit."""
    cdef File* file
    cdef Outcome outcome
    cdef uint64_t now
    cdef int64_t deadline = deadline_of(ledger.wait_ms_max)
    lock(ledger.gate)
    while True:
        outcome = admitted(ledger, urgent, deadline)
        if outcome != ACCEPTED:
            unlock(ledger.gate)
            return outcome
        if (
            ledger.next_lsn - ledger.drained_lsn - 1 < ledger.ring_capacity
            and (urgent or ledger.backlog_bytes < ledger.backlog_bytes_max)
            and find_room(ledger, size)
        ):
            break
        wake(ledger.gate, NEED)
        pause(ledger, ROOM, deadline)
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
        wake_all(ledger)
        unlock(ledger.gate)
        return FAILED
    place.written = True
    ledger.ring[place.lsn % ledger.ring_capacity] = place[0]
    for i in range(ledger.files_count):
        if ledger.files[i].number == place.segment:
            ledger.files[i].dirty = True
    ledger.appends += 1
    ledger.bytes += size
    ledger.backlog_bytes += place.payload_length
    if place.lsn == ledger.written_lsn + 1:
        while ledger.written_lsn + 1 < ledger.next_lsn:
            next_place = &ledger.ring[(ledger.written_lsn + 1) % ledger.ring_capacity]
            if next_place.lsn != ledger.written_lsn + 1 or not next_place.written:
                break
            ledger.written_lsn += 1
        wake(ledger.gate, WHOLE)
        if ledger.written_lsn >= ledger.drain_from:
            wake(ledger.gate, FRESH)
    unlock(ledger.gate)
    return ACCEPTED


cdef void ledger_await_written(
    Ledger* ledger, int timeout_ms, int linger_ms, int pause_ms, uint64_t count, uint64_t* first, uint64_t* last
) noexcept nogil:
    cdef int64_t deadline = deadline_of(timeout_ms)
    cdef uint64_t seen = NO_LSN
    lock(ledger.gate)
    ledger.drain_from = ledger.drained_lsn + 1
    while ledger.written_lsn < ledger.drain_from and not ledger.stopped and monotonic_ns() < deadline:
        gate_wait(ledger.gate, FRESH, deadline)
    if ledger.written_lsn >= ledger.drain_from:
        deadline = deadline_of(linger_ms)
        ledger.drain_from = ledger.drained_lsn + count
        while seen != ledger.written_lsn < ledger.drain_from and monotonic_ns() < deadline and not ledger.hurried:
            seen = ledger.written_lsn
            gate_wait(ledger.gate, FRESH, min(deadline, deadline_of(pause_ms)))
    ledger.drain_from = NO_LSN
    ledger.hurried = False
    first[0], last[0] = ledger.drained_lsn + 1, ledger.written_lsn
    unlock(ledger.gate)


cdef void ledger_drained(Ledger* ledger, uint64_t last) noexcept nogil:
    lock(ledger.gate)
    ledger.drained_lsn = last
    wake(ledger.gate, ROOM)
    unlock(ledger.gate)


cdef void ledger_hurry(Ledger* ledger) noexcept nogil:
    lock(ledger.gate)
    ledger.hurried = True
    wake(ledger.gate, FRESH)
    unlock(ledger.gate)


# -- bounds ------------------------------------------------------------------------------------------------------------


cdef void ledger_charge(Ledger* ledger, int64_t bytes_more) noexcept nogil:
    lock(ledger.gate)
    ledger.backlog_bytes += bytes_more
    if bytes_more < 0:
        wake(ledger.gate, ROOM)
    unlock(ledger.gate)


cdef Outcome ledger_await_room(Ledger* ledger) noexcept nogil:
    cdef int64_t deadline = deadline_of(ledger.wait_ms_max)
    cdef Outcome outcome
    lock(ledger.gate)
    while True:
        outcome = admitted(ledger, False, deadline)
        if outcome != ACCEPTED or ledger.backlog_bytes < ledger.backlog_bytes_max:
            break
        pause(ledger, ROOM, deadline)
    unlock(ledger.gate)
    return outcome


cdef void ledger_await_need(Ledger* ledger, int timeout_ms) noexcept nogil:
    cdef int64_t deadline = deadline_of(timeout_ms)
    lock(ledger.gate)
    while not ledger.stopped and monotonic_ns() < deadline and empty_files(ledger):
        gate_wait(ledger.gate, NEED, deadline)
    unlock(ledger.gate)


cdef int empty_files(Ledger* ledger) noexcept nogil:
    cdef int i, count = 0
    for i in range(ledger.files_count):
        count += not ledger.files[i].closed and i != ledger.current
    return count


cdef void ledger_refuse(Ledger* ledger, bint refusing) noexcept nogil:
    lock(ledger.gate)
    ledger.refusing = refusing
    wake(ledger.gate, ROOM)
    unlock(ledger.gate)


# -- synced and acknowledged ------------------------------------------------------------------------------------------


cdef Outcome ledger_sync(Ledger* ledger, uint64_t lsn) noexcept nogil:
    cdef Outcome outcome
    lock(ledger.gate)
    outcome = sync_to(ledger, lsn, deadline_of(ledger.wait_ms_max))
    unlock(ledger.gate)
    return outcome


cdef Outcome ledger_wait(Ledger* ledger, uint64_t lsn) noexcept nogil:
    cdef Outcome outcome = ACCEPTED
    cdef int64_t deadline = deadline_of(ledger.wait_ms_max)
    lock(ledger.gate)
    ledger.waiting += 1
    if not ledger.external_ack:
        outcome = sync_to(ledger, lsn, deadline)
    else:
        while ledger.acknowledged_lsn < lsn and outcome == ACCEPTED:
            if ledger.failed:
                outcome = FAILED
            elif monotonic_ns() >= deadline:
                outcome = FULL
            else:
                pause(ledger, ACKNOWLEDGED, deadline)
    ledger.waiting -= 1
    unlock(ledger.gate)
    return outcome


cdef Outcome sync_to(Ledger* ledger, uint64_t lsn, int64_t deadline) noexcept nogil:
    """Lead a group sync or follow one until ``lsn`` is on disk. Holds the lock, lets it go meanwhile.

    Followers of the sync that runs wait on one condition, those who came too late for it on the other: its end wakes
    the former, and of the latter the one that leads the next. (All of them can: what they wait for is written.)
    """
    while ledger.synced_lsn < lsn:
        if ledger.failed:
            return FAILED
        if ledger.written_lsn < lsn and ledger.stopped and lsn >= ledger.next_lsn:
            return STOPPED
        if ledger.written_lsn >= lsn and not ledger.syncing:
            lead(ledger)
        elif monotonic_ns() >= deadline:
            return FULL
        elif ledger.written_lsn < lsn:
            pause(ledger, WHOLE, deadline)
        else:
            pause(ledger, GROUP + (ledger.round + (lsn > ledger.sync_target)) % 2, deadline)
    return ACCEPTED


cdef void lead(Ledger* ledger) noexcept nogil:
    """One group: sync every segment with new writes, then move the acknowledged prefix. Lets the lock go meanwhile."""
    cdef int fds[FILES_MAX]
    cdef int count = 0, i
    cdef bint lost = False
    cdef uint64_t target = ledger.written_lsn
    ledger.syncing, ledger.sync_target, ledger.sync_begun_ns = True, target, monotonic_ns()
    ledger.round += 1
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
    ledger.sync_ns += monotonic_ns() - ledger.sync_begun_ns
    if lost:
        ledger.failed = True
    if ledger.failed:  # by this sync or meanwhile: nothing more is acknowledged
        wake_all(ledger)
        return
    ledger.synced_lsn = max(target, ledger.synced_lsn)
    if not ledger.external_ack:
        ledger.acknowledged_lsn = max(target, ledger.acknowledged_lsn)
    wake(ledger.gate, GROUP + ledger.round % 2)
    wake_one(ledger.gate, GROUP + (ledger.round + 1) % 2)


cdef bint ledger_suspect(const Ledger* ledger) noexcept nogil:
    return ledger.syncing and monotonic_ns() - ledger.sync_begun_ns > <int64_t>ledger.wait_ms_max * NS_PER_MS


cdef void ledger_acknowledge(Ledger* ledger, uint64_t lsn) noexcept nogil:
    lock(ledger.gate)
    if lsn > ledger.acknowledged_lsn:
        ledger.acknowledged_lsn = lsn
    wake(ledger.gate, ACKNOWLEDGED)
    unlock(ledger.gate)


# -- ends -------------------------------------------------------------------------------------------------------------


cdef void ledger_fail(Ledger* ledger) noexcept nogil:
    lock(ledger.gate)
    ledger.failed = True
    wake_all(ledger)
    unlock(ledger.gate)


cdef void ledger_stop(Ledger* ledger) noexcept nogil:
    lock(ledger.gate)
    ledger.stopped = True
    wake_all(ledger)
    unlock(ledger.gate)
