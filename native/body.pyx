"""See body.pyi.

socket > raw > framing taken off > ``held`` (boundaries and heads of parts) or the window (data of a part) > the intake

Data is received straight into the window, which is the arrival's own buffer: the boundary is looked for where the bytes
have landed, and what stands behind it goes back to ``held``. The window's last bytes may always be a boundary's
beginning: they are held back until what follows has come.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memmove, strcmp

from native.arrival cimport Arrival, uids_of
from native.cursor cimport (
    Cursor,
    byte_at,
    bytes_of,
    data_of,
    find_bytes,
    left,
    peek,
    skip,
)
from native.framing cimport (
    FRAME_END,
    FRAME_MALFORMED,
    Frame,
    Framing,
    framing_begin,
    framing_next,
    framing_took,
)
from native.framing cimport WHOLE as FRAMING_WHOLE
from native.growing cimport (
    Growing,
    add,
    compact,
    free_bytes,
    grow,
    held,
    held_as_bytes,
    held_bytes,
    place_at,
    release,
)
from native.identity cimport Checked
from native.lane cimport Lane
from native.ledger cimport ACCEPTED, TOO_LARGE, Outcome
from native.segment cimport raise_for
from native.socket_io cimport POLLIN, await_ready, receive
from native.view cimport over
from native.walker cimport NO_ROOM

cdef enum Event:
    NEED = 0         # more bytes
    IDLE = 1
    HEAD = 2         # a part begins
    DATA = 3
    PART = 4         # it is whole
    PREAMBLE = 5
    END = 6          # the body is whole
    GONE = 7
    CANCEL = 8
    UNSOUND = 9
    REFUSED = 10
    LARGE = 11
    # never leaves native code
    GO_ON = 12

EVENT_NEED, EVENT_IDLE, EVENT_HEAD, EVENT_DATA, EVENT_PART, EVENT_PREAMBLE = NEED, IDLE, HEAD, DATA, PART, PREAMBLE
EVENT_END, EVENT_GONE, EVENT_CANCEL, EVENT_UNSOUND, EVENT_REFUSED, EVENT_LARGE = (
    END, GONE, CANCEL, UNSOUND, REFUSED, LARGE
)

cdef enum State:
    IN_PREAMBLE = 0
    BEHIND_BOUNDARY = 1
    IN_HEAD = 2
    HEAD_READ = 3    # and to be judged
    IN_DATA = 4
    DATA_READ = 5    # the part is whole
    IN_EPILOGUE = 6

cdef enum:
    STAGING_BYTES = 1 << 16
    BEHIND_BYTES = 1 << 12       # room for what stands between two parts
    HELD_BYTES_MAX = 1 << 16
    HANDED_BYTES = 1 << 18
    BOUNDARY_BYTES_MAX = 200
    OF_OTHER_STUDY = 32
    LARGER_THAN_ALLOWED = 33

CHUNKED, PIECES = -1, -2
REASON_OTHER_STUDY = OF_OTHER_STUDY
REASON_TOO_LARGE = LARGER_THAN_ALLOWED

cdef uint64_t BOUNDLESS = 0x4000000000000000ULL
cdef bytes BLANK_LINE = b"\r\n\r\n"
cdef const uint8_t* blank_line = data_of(BLANK_LINE)
cdef const char* NO_MEMORY_LEFT = b"there is no memory for the body"

cdef struct Came:
    # one part: appended (lsn), or why not
    uint64_t lsn
    int reason
    Checked uids


cdef class Body:
    cdef const char* fault
    cdef Arrival arrival
    cdef bint is_kept            # by the arrival; else its data is handed over
    cdef bytes study_uid
    cdef const char* only_study
    # what the connection gives
    cdef Framing framing
    cdef Growing raw
    cdef uint64_t bytes_left     # that the body may still have
    # the parts
    cdef bytes boundary
    cdef const uint8_t* delimiter
    cdef size_t delimiter_bytes
    cdef size_t held_back
    cdef size_t heads_bytes_max
    cdef size_t preamble_bytes_left
    cdef size_t parts_left
    cdef State state
    cdef State following         # of DATA_READ
    cdef bint has_part
    cdef Growing held
    cdef Growing head            # of the part; once judged, that of parts like it
    cdef bint is_judged
    cdef int verdict
    # the part
    cdef Growing handed
    cdef Growing* window
    cdef size_t searched
    cdef bint is_given_up
    cdef uint64_t part_bytes
    cdef uint64_t expected_bytes
    cdef Came* came
    cdef size_t came_count
    cdef size_t came_capacity
    cdef bint is_lost            # what became of a part could not be written down
    cdef size_t kept_count
    cdef Outcome outcome

    def __cinit__(
        self, Arrival arrival, bytes boundary, int64_t length, *, uint64_t bytes_max, str study_uid="",
        size_t heads_bytes_max, size_t preamble_bytes_max, size_t parts_count_max
    ):
        if len(boundary) > BOUNDARY_BYTES_MAX:
            raise ValueError("the boundary is too long")
        self.fault = b""
        self.arrival, self.is_kept = arrival, arrival is not None
        self.window = &arrival.gathered if self.is_kept else &self.handed
        self.study_uid = study_uid.encode("ascii")
        self.only_study = self.study_uid
        framing_begin(&self.framing, length == -1, BOUNDLESS if length < 0 else length)
        self.bytes_left, self.heads_bytes_max = bytes_max, heads_bytes_max
        self.preamble_bytes_left, self.parts_left = preamble_bytes_max, parts_count_max
        self.boundary = b"\r\n--" + boundary if boundary else b""
        self.delimiter, self.delimiter_bytes = data_of(self.boundary), len(self.boundary)
        self.held_back = max(self.delimiter_bytes, 1) - 1
        if not boundary:
            self.has_part, self.state, self.is_judged = True, HEAD_READ, False
        elif not add(&self.held, data_of(b"\r\n"), 2, STAGING_BYTES):    # a body may begin with a boundary at once
            raise MemoryError

    def __dealloc__(self):
        self.free_all()
        free(self.came)

    cdef void free_all(self) noexcept nogil:
        release(&self.raw)
        release(&self.held)
        release(&self.head)
        release(&self.handed)

    def trim(self):
        if held_bytes(&self.raw) == 0:
            release(&self.raw)
        if held_bytes(&self.held) == 0:
            release(&self.held)

    def close(self):
        """Give back all but what became of the parts."""
        self.free_all()
        if self.is_kept:
            self.arrival.close()

    # ------------------------------------------------------------ in

    def run(self, int fd, int cancel_fd, int idle_ms, int64_t budget_bytes):
        cdef Event event
        with nogil:
            event = self.lease(fd, cancel_fd, idle_ms, budget_bytes)
        return event

    def feed(self, const uint8_t[::1] piece not None):
        cdef Event event
        cdef Cursor coming = over(piece)
        if not add(&self.raw, coming.data, coming.end, STAGING_BYTES):
            raise MemoryError
        with nogil:
            event = self.parse()
        return event

    def finish(self):
        """See body.pyi."""
        self.framing.state = FRAMING_WHOLE
        return self.feed(b"")

    @property
    def reason(self):
        return self.fault.decode("ascii")

    def raise_refusal(self):
        """See body.pyi."""
        raise_for(self.arrival.lane.log, self.outcome)

    @property
    def rest(self):
        return held_as_bytes(&self.raw)

    cdef Event lease(self, int fd, int cancel_fd, int idle_ms, int64_t budget_bytes) noexcept nogil:
        cdef Event event
        cdef int64_t got
        cdef int ready
        while True:
            event = self.parse()
            if event != NEED or budget_bytes <= 0:
                return event
            got = self.receive_some(fd)
            if got > 0:
                budget_bytes -= got
            elif got == 0 or got == -2:
                return GONE
            else:
                ready = await_ready(fd, POLLIN, cancel_fd, idle_ms)
                if ready:
                    return IDLE if ready == 1 else CANCEL if ready == 2 else GONE

    cdef int64_t receive_some(self, int fd) noexcept nogil:
        """Data of a part goes straight into the window, as much as the last part had; what follows is staged."""
        cdef Growing* raw = &self.raw
        cdef int64_t got
        cdef size_t direct = 0, staged = STAGING_BYTES
        compact(raw)
        if not grow(raw, raw.end + 1, STAGING_BYTES):
            return -2
        if raw.end == 0 and self.state == IN_DATA and self.framing.left:
            direct = min(self.wished(), self.framing.left, self.bytes_left, self.room())
            staged = STAGING_BYTES if self.framing.left < STAGING_BYTES else BEHIND_BYTES
        got = receive(
            fd, place_at(self.window, self.window.end), direct, place_at(raw, raw.end), min(free_bytes(raw), staged)
        )
        if got > 0:
            direct = min(direct, <size_t>got)
            if direct:
                self.window.end += direct
                self.took(direct)
            raw.end += <size_t>got - direct
        return got

    # ------------------------------------------------------------ the body

    cdef Event parse(self) noexcept nogil:
        """Everything that has come, until something stops it."""
        cdef Event event = GO_ON
        while event == GO_ON:
            event = self.step()
            if event == NEED:
                event = self.take_raw()
        return self.unsound(NO_MEMORY_LEFT) if self.is_lost else event

    cdef Event take_raw(self) noexcept nogil:
        """More of the body, out of its framing."""
        cdef Cursor raw = held(&self.raw)
        cdef Frame frame = framing_next(&self.framing, &raw)
        cdef size_t now
        self.raw.begin += raw.at
        if frame == FRAME_MALFORMED:
            return self.unsound(b"the chunks of the body are not sound")
        if frame == FRAME_END:
            return self.ended()
        if left(&raw) == 0:
            return NEED
        if self.bytes_left == 0:
            return LARGE
        now = min(left(&raw), self.framing.left, self.bytes_left)
        if self.state == IN_DATA:
            now = min(now, self.room())
            if now == 0:
                return self.refused()
            add(self.window, peek(&raw, now), now, HANDED_BYTES)
        else:
            compact(&self.held)
            now = min(now, <size_t>HELD_BYTES_MAX)
            if not add(&self.held, peek(&raw, now), now, STAGING_BYTES):
                return self.unsound(NO_MEMORY_LEFT)
        self.took(now)
        self.raw.begin += now
        return GO_ON

    cdef void took(self, size_t count) noexcept nogil:
        self.bytes_left -= count
        framing_took(&self.framing, count)

    cdef Event ended(self) noexcept nogil:
        if self.state == IN_EPILOGUE:
            return END
        if self.delimiter_bytes == 0 and self.state == IN_DATA:
            self.state, self.following = DATA_READ, IN_EPILOGUE
            return GO_ON
        return self.unsound(b"the multipart body ends before its last boundary")

    cdef Event unsound(self, const char* fault) noexcept nogil:
        self.fault = fault
        return UNSOUND

    # ------------------------------------------------------------ its parts

    cdef Event step(self) noexcept nogil:
        """What can be told from what has come; NEED: nothing more."""
        if self.state == IN_DATA:
            return self.find_end_of_data()
        if self.state == DATA_READ:
            return self.end_part()
        if self.state == HEAD_READ:
            return self.begin_part()
        if self.state == IN_HEAD:
            return self.find_end_of_head()
        if self.state == BEHIND_BOUNDARY:
            return self.look_behind_boundary()
        if self.state == IN_PREAMBLE:
            return self.find_first_boundary()
        self.held.begin = self.held.end = 0
        return NEED

    cdef Event find_first_boundary(self) noexcept nogil:
        cdef Cursor so_far = held(&self.held)
        cdef size_t found = find_bytes(so_far.data, so_far.end, 0, self.delimiter, self.delimiter_bytes)
        cdef size_t gone = found + self.delimiter_bytes
        if found == so_far.end:
            gone = so_far.end - min(so_far.end, self.held_back)
            if gone > self.preamble_bytes_left:
                return self.unsound(b"the multipart body does not begin with its boundary")
            self.preamble_bytes_left -= gone
        else:
            self.state = BEHIND_BOUNDARY
        self.held.begin += gone
        return GO_ON if self.state == BEHIND_BOUNDARY else NEED

    cdef Event look_behind_boundary(self) noexcept nogil:
        """Padding and a line end, or two hyphens; anything else was no boundary but data."""
        cdef Cursor behind = held(&self.held)
        cdef uint8_t first = byte_at(&behind, 0)
        cdef size_t padding = 0
        while byte_at(&behind, padding) in (c" ", c"\t") and padding < self.heads_bytes_max:
            padding += 1
        if padding < self.heads_bytes_max and left(&behind) < padding + 2:
            return NEED
        if first == c"-" and byte_at(&behind, 1) == c"-":
            self.following = IN_EPILOGUE
        elif byte_at(&behind, padding) == c"\r" and byte_at(&behind, padding + 1) == c"\n":
            self.following = IN_HEAD
            self.held.begin += padding
        elif not self.has_part:
            return self.unsound(b"the multipart body does not begin with its boundary")
        else:
            self.searched, self.state = self.window.end, IN_DATA
            return GO_ON
        if self.has_part:
            self.window.end -= self.delimiter_bytes
            self.state = DATA_READ
        else:
            self.state = self.following
        return GO_ON

    cdef Event find_end_of_head(self) noexcept nogil:
        """From the line end of the boundary to the empty line; what stands between is the head."""
        cdef Cursor head = held(&self.held)
        cdef size_t end = find_bytes(head.data, head.end, 0, blank_line, 4)
        cdef size_t length
        if end == head.end:
            return NEED if end <= self.heads_bytes_max else self.unsound(b"the headers of a part are longer than allowed")
        if self.parts_left == 0:
            return self.unsound(b"the body has more than the allowed number of parts")
        self.parts_left -= 1
        length = end - 2 if end else 0
        skip(&head, min(end, <size_t>2))
        if not self.is_judged or held_bytes(&self.head) != length or memcmp(
            place_at(&self.head, 0), peek(&head, length), length
        ):
            self.is_judged = False
            self.head.begin = self.head.end = 0
            if not add(&self.head, peek(&head, length), length, BEHIND_BYTES):
                return self.unsound(NO_MEMORY_LEFT)
        self.held.begin += end + 4
        self.has_part, self.state = True, HEAD_READ
        return GO_ON

    cdef Event begin_part(self) noexcept nogil:
        if not self.is_judged:
            return HEAD
        self.is_given_up, self.state = False, IN_DATA
        if self.is_kept:
            self.arrival.begin()
        else:
            self.is_judged = False
            self.handed.begin = self.handed.end = 0
        self.searched = self.window.begin
        if self.verdict and self.is_kept:
            self.give_up(self.verdict)
        return GO_ON

    @property
    def head(self):
        return held_as_bytes(&self.head)

    def judge(self, int verdict):
        """See body.pyi."""
        self.is_judged, self.verdict = True, verdict

    # ------------------------------------------------------------ the data of a part

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
        return max(self.expected_bytes - so_far if self.expected_bytes > so_far else 0, <size_t>STAGING_BYTES)

    cdef size_t take_held(self) noexcept nogil:
        """What stood behind the head; how many bytes of it."""
        cdef Cursor rest = held(&self.held)
        cdef size_t now = left(&rest)
        if now:
            now = min(now, self.room())
            add(self.window, peek(&rest, now), now, HANDED_BYTES)
            self.held.begin += now
        return now

    cdef Event find_end_of_data(self) noexcept nogil:
        cdef Growing* window = self.window
        cdef bint has_held = held_bytes(&self.held) > 0
        cdef size_t found, surplus
        if has_held and self.take_held() == 0:
            return self.refused()
        if self.searched == window.end:
            return NEED
        found = window.end
        if self.delimiter_bytes:
            found = find_bytes(
                window.data, window.end, max(window.begin + self.held_back, self.searched) - self.held_back,
                self.delimiter, self.delimiter_bytes
            )
        self.searched = window.end
        if found == window.end:
            return self.not_yet()
        surplus = window.end - found - self.delimiter_bytes
        window.end -= surplus
        self.state = BEHIND_BOUNDARY
        if has_held:
            self.held.begin -= surplus
            return GO_ON
        self.held.begin = self.held.end = 0
        if not add(&self.held, place_at(window, window.end), surplus, STAGING_BYTES):
            return self.unsound(NO_MEMORY_LEFT)
        return GO_ON

    cdef Event not_yet(self) noexcept nogil:
        """All of the window is data, but perhaps its last bytes."""
        cdef size_t count = held_bytes(self.window)
        if self.is_given_up:
            self.drop(count - min(count, self.held_back))
        elif not self.is_kept and count >= HANDED_BYTES / 2 + self.held_back:
            return DATA
        return GO_ON if held_bytes(&self.held) else NEED

    cdef void drop(self, size_t count) noexcept nogil:
        """The first bytes of the window are done with."""
        cdef Growing* window = self.window
        cdef size_t kept = held_bytes(window) - count
        memmove(place_at(window, window.begin), place_at(window, window.begin + count), kept)
        window.end = window.begin + kept
        self.searched = window.end

    def take_data(self):
        """See body.pyi."""
        cdef size_t kept = self.held_back if self.state == IN_DATA else 0
        cdef size_t count = held_bytes(&self.handed) - kept
        data = bytes_of(place_at(&self.handed, self.handed.begin), count)
        self.drop(count)
        return data

    # ------------------------------------------------------------ what becomes of it

    cdef Event end_part(self) noexcept nogil:
        if not self.is_kept:
            if held_bytes(&self.handed):
                return DATA
            self.state = self.following
            return PART
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
        if not self.is_given_up:
            if not self.arrival.store(lane, &lsn):
                return self.refused()
            self.kept_count += 1
            self.note(lsn, 0, &uids)
        self.state = self.following
        return GO_ON

    def keep_in(self, Lane lane not None):
        """See body.pyi."""
        cdef Event event
        if self.state != DATA_READ or not self.is_kept or not self.arrival.is_checked:
            raise ValueError("no part waits for another lane")
        with nogil:
            event = self.keep(lane)
        return event

    @property
    def preamble(self):
        return self.arrival.preamble if self.is_kept else b""

    cdef Event refused(self) noexcept nogil:
        """The arrival has refused the part: its reason counts for this part, or for the whole request."""
        cdef Outcome outcome = self.arrival.outcome if self.is_kept else ACCEPTED
        if not self.is_kept or self.is_given_up:
            return self.unsound(NO_MEMORY_LEFT)
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
        skip(&window, left(&window) - kept)
        memcpy(last, peek(&window, kept), kept)
        self.note(0, reason, &self.arrival.found)
        self.arrival.forget()
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

    @property
    def parts(self):
        return [
            (self.came[number].lsn, self.came[number].reason, uids_of(&self.came[number].uids))
            for number in range(self.came_count)
        ]
