"""See landing.pxd."""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, strcmp

from native.arrival cimport Arrival, uids_of
from native.cursor cimport Cursor, bytes_of, data_of, find_bytes, left, peek, skip
from native.growing cimport Growing, free_bytes, grow, held, held_bytes, place_at, release
from native.identity cimport Checked
from native.lane cimport Lane
from native.ledger cimport ACCEPTED, TOO_LARGE, Outcome
from native.walker cimport NO_ROOM

cdef enum:
    WISHED_BYTES_MIN = 1 << 16
    HANDED_BYTES = 1 << 18


cdef class Landing:
    def __cinit__(self, Arrival arrival, bytes boundary, str study_uid):
        if len(boundary) > BOUNDARY_BYTES_MAX:
            raise ValueError("the boundary is too long")
        self.arrival, self.is_kept = arrival, arrival is not None
        self.window = &arrival.gathered if self.is_kept else &self.handed
        self.study_uid = study_uid.encode("ascii")
        self.only_study = self.study_uid
        self.boundary = b"\r\n--" + boundary if boundary else b""
        self.delimiter, self.delimiter_bytes = data_of(self.boundary), len(self.boundary)
        self.held_back = max(self.delimiter_bytes, 1) - 1

    def __dealloc__(self):
        self.free_all()
        free(self.came)

    cdef void free_all(self) noexcept nogil:
        release(&self.handed)

    # ------------------------------------------------------------ comes

    cdef void begin(self, int verdict) noexcept nogil:
        self.is_given_up = False
        if self.is_kept:
            self.arrival.begin()
        else:
            self.handed.begin = self.handed.end = 0
        self.searched = self.window.begin
        if verdict:
            self.give_up(verdict)

    cdef size_t room(self) noexcept nogil:
        """How much may be received to the end of the window, all of which was searched; 0: the part is refused."""
        cdef size_t room
        if self.is_kept:
            room = self.arrival.room(self.held_back)
            self.searched = self.window.end  # it has moved when what it held was written
            return room
        if not grow(&self.handed, HANDED_BYTES + self.held_back, HANDED_BYTES + self.held_back):
            return 0
        return free_bytes(&self.handed)

    cdef size_t wished(self) noexcept nogil:
        """Parts are often as large as the one before: so far we receive to its place, without reading over its end."""
        cdef size_t so_far = held_bytes(self.window)
        return max(self.expected_bytes - so_far if self.expected_bytes > so_far else 0, <size_t>WISHED_BYTES_MIN)

    cdef bint find(self, size_t* surplus) noexcept nogil:
        cdef Growing* window = self.window
        cdef size_t begin = max(window.begin + self.held_back, self.searched) - self.held_back
        cdef size_t found = window.end
        if self.delimiter_bytes and self.searched < window.end:
            found = find_bytes(window.data, window.end, begin, self.delimiter, self.delimiter_bytes)
        self.searched = window.end
        if found == window.end:
            return False
        surplus[0] = window.end - found - self.delimiter_bytes
        window.end -= surplus[0]
        return True

    cdef Event not_yet(self) noexcept nogil:
        cdef size_t count = held_bytes(self.window)
        if self.is_given_up:
            self.drop(count - min(count, self.held_back))
        elif not self.is_kept and count >= HANDED_BYTES / 2 + self.held_back:
            return DATA
        return NEED

    cdef void go_on(self) noexcept nogil:
        self.searched = self.window.end

    cdef void cut(self) noexcept nogil:
        self.window.end -= self.delimiter_bytes

    cdef void drop(self, size_t count) noexcept nogil:
        """The first bytes of the window are done with."""
        cdef Growing* window = self.window
        cdef size_t kept = held_bytes(window) - count
        if kept:
            memmove(place_at(window, window.begin), place_at(window, window.begin + count), kept)
        window.end = window.begin + kept
        self.searched = window.end

    # ------------------------------------------------------------ is whole

    cdef bytes taken(self, bint is_whole):
        cdef size_t kept = 0 if is_whole else min(self.held_back, held_bytes(&self.handed))
        cdef size_t count = held_bytes(&self.handed) - kept
        data = bytes_of(place_at(&self.handed, self.handed.begin), count)
        self.drop(count)
        return data

    cdef Event end(self) noexcept nogil:
        if not self.is_kept:
            return DATA if held_bytes(&self.handed) else PART
        if not self.is_given_up and not self.arrival.is_checked:
            self.expected_bytes = self.arrival.written_bytes + held_bytes(&self.arrival.gathered)
            if not self.arrival.examine():
                return self.refused()
            if self.only_study[0] and strcmp(self.arrival.found.study_uid, self.only_study):
                self.give_up(OF_OTHER_STUDY)
            elif self.arrival.has_kept_preamble():
                return PREAMBLE
        return self.keep(self.arrival.lane)

    cdef Event keep(self, Lane lane) noexcept nogil:
        cdef Checked uids = self.arrival.found
        cdef uint64_t lsn = 0
        if self.is_given_up:
            return GO_ON
        if not self.arrival.store(lane, &lsn):
            return self.refused()
        self.kept_count += 1
        self.note(lsn, 0, &uids)
        return GO_ON

    cdef Event refused(self) noexcept nogil:
        """The arrival has refused the part: its reason counts for this part, or for the whole request."""
        cdef Outcome outcome = self.arrival.outcome if self.is_kept else ACCEPTED
        if not self.is_kept or self.is_given_up:
            self.is_lost = True
            return UNSOUND
        if outcome == ACCEPTED:
            self.give_up(self.arrival.reason)
        elif outcome == TOO_LARGE:
            self.give_up(LARGER_THAN_ALLOWED)
        elif self.kept_count == 0 or self.arrival.lane.log.ledger.failed:
            self.outcome = outcome
            return REFUSED
        else:
            self.give_up(NO_ROOM)
        return GO_ON

    cdef void give_up(self, int reason) noexcept nogil:
        """What still comes of the part counts for nothing, but that it may be the boundary's beginning."""
        cdef uint8_t last[BOUNDARY_BYTES_MAX + 4]
        cdef Cursor window = held(self.window)
        cdef size_t kept = min(left(&window), self.held_back)
        if not self.is_kept:  # who it is handed to passes over it
            return
        skip(&window, left(&window) - kept)
        if kept:
            memcpy(last, peek(&window, kept), kept)
        self.note(0, reason, &self.arrival.found)
        self.arrival.forget()
        if kept:  # of an empty part there is no window yet
            memcpy(place_at(self.window, self.window.end), last, kept)
        self.window.end += kept
        self.searched = self.window.end
        self.is_given_up = True

    cdef void note(self, uint64_t lsn, int reason, const Checked* uids) noexcept nogil:
        cdef size_t capacity = max(2 * self.came_capacity, 16)
        cdef Came* came = self.came
        if self.came_count == self.came_capacity:
            came = <Came*>realloc(self.came, capacity * sizeof(Came))
            if came == NULL:
                self.is_lost = True
                return
            self.came, self.came_capacity = came, capacity
        came[self.came_count].lsn, came[self.came_count].reason = lsn, reason
        came[self.came_count].uids = uids[0]
        self.came_count += 1

    cdef list told(self):
        return [
            (self.came[number].lsn, self.came[number].reason, uids_of(&self.came[number].uids))
            for number in range(self.came_count)
        ]
