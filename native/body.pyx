"""See body.pyi.

socket > raw > framing taken off > ``held`` (boundaries and heads of parts) or the window (data of a part) > the intake

Data is received straight into the window, which is the arrival's own buffer: the boundary is looked for where the bytes
have landed, and what stands behind it goes back to ``held``. The window's last bytes may always be a boundary's
beginning: they are held back until what follows has come.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from native.arrival cimport Arrival
from native.cursor cimport Cursor, byte_at, data_of, find_bytes, left, peek, skip
from native.framing cimport FRAME_END, FRAME_MALFORMED, Frame, Framing, framing_begin, framing_next, framing_took
from native.framing cimport WHOLE as FRAMING_WHOLE
from native.growing cimport Growing, add, compact, free_bytes, grow, held, held_as_bytes, held_bytes, place_at, release
from native.landing cimport (
    DATA, END, GO_ON, GONE, HEAD, IDLE, LARGE, LARGER_THAN_ALLOWED, NEED, OF_OTHER_STUDY, PART, PREAMBLE,
    REFUSED, UNSOUND, Event, Landing,
)
from native.lane cimport Lane
from native.ledger cimport ACCEPTED
from native.segment cimport raise_for
from native.socket_io cimport POLLIN, receive
from native.view cimport over
from native.waits cimport Waits, await_within, waits_begin, waits_went_on

EVENT_NEED, EVENT_IDLE, EVENT_HEAD, EVENT_DATA, EVENT_PART, EVENT_PREAMBLE = NEED, IDLE, HEAD, DATA, PART, PREAMBLE
EVENT_END, EVENT_GONE, EVENT_UNSOUND, EVENT_REFUSED, EVENT_LARGE = END, GONE, UNSOUND, REFUSED, LARGE

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

CHUNKED, PIECES = -1, -2
REASON_OTHER_STUDY = OF_OTHER_STUDY
REASON_TOO_LARGE = LARGER_THAN_ALLOWED

cdef uint64_t BOUNDLESS = 0x4000000000000000ULL
cdef bytes BLANK_LINE = b"\r\n\r\n"
cdef const uint8_t* blank_line = data_of(BLANK_LINE)
cdef const char* NO_MEMORY_LEFT = b"there is no memory for the body"


cdef class Body:
    cdef const char* fault
    cdef Landing landing
    # what the connection gives
    cdef Framing framing
    cdef Growing raw
    cdef uint64_t bytes_left     # that the body may still have
    cdef readonly uint64_t received_bytes
    # the parts
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

    def __cinit__(
        self, Arrival arrival, bytes boundary, int64_t length, *, uint64_t bytes_max, str study_uid="",
        size_t heads_bytes_max, size_t preamble_bytes_max, size_t parts_count_max
    ):
        self.fault = b""
        self.landing = Landing(arrival, boundary, study_uid)
        framing_begin(&self.framing, length == -1, BOUNDLESS if length < 0 else length)
        self.bytes_left, self.heads_bytes_max = bytes_max, heads_bytes_max
        self.preamble_bytes_left, self.parts_left = preamble_bytes_max, parts_count_max
        if not boundary:
            self.has_part, self.state, self.is_judged = True, HEAD_READ, False
        elif not add(&self.held, data_of(b"\r\n"), 2, STAGING_BYTES):    # a body may begin with a boundary at once
            raise MemoryError

    def __dealloc__(self):
        self.free_all()

    cdef void free_all(self) noexcept nogil:
        release(&self.raw)
        release(&self.held)
        release(&self.head)

    def trim(self):
        if held_bytes(&self.raw) == 0:
            release(&self.raw)
        if held_bytes(&self.held) == 0:
            release(&self.held)

    def close(self):
        """Give back all but what became of the parts."""
        self.free_all()
        self.landing.free_all()
        if self.landing.is_kept:
            self.landing.arrival.close()

    # ------------------------------------------------------------ in

    def run(self, int fd, int idle_ms, int64_t budget_bytes):
        cdef Event event
        with nogil:
            event = self.lease(fd, idle_ms, budget_bytes)
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
        raise_for(self.landing.arrival.lane.log, self.landing.outcome)

    @property
    def rest(self):
        return held_as_bytes(&self.raw)

    cdef Event lease(self, int fd, int idle_ms, int64_t budget_bytes) noexcept nogil:
        cdef Event event
        cdef int64_t got
        cdef int ready
        cdef Waits waits
        waits_begin(&waits, idle_ms)
        while True:
            event = self.parse()
            if event != NEED or budget_bytes <= 0:
                return event
            got = self.receive_some(fd)
            if got > 0:
                budget_bytes -= got
                self.received_bytes += got
                waits_went_on(&waits, got)
            elif got == 0 or got == -2:
                return GONE
            else:
                ready = await_within(fd, POLLIN, &waits)
                if ready:
                    return IDLE if ready == 1 else GONE

    cdef int64_t receive_some(self, int fd) noexcept nogil:
        """Data of a part goes straight into the window, as much as the last part had; what follows is staged."""
        cdef Growing* raw = &self.raw
        cdef Growing* window = self.landing.window
        cdef int64_t got
        cdef size_t direct = 0, staged = STAGING_BYTES
        compact(raw)
        if not grow(raw, raw.end + 1, STAGING_BYTES):
            return -2
        if raw.end == 0 and self.state == IN_DATA and self.framing.left:
            direct = min(self.landing.wished(), self.framing.left, self.bytes_left, self.landing.room())
            staged = STAGING_BYTES if self.framing.left < STAGING_BYTES else BEHIND_BYTES
        got = receive(
            fd, place_at(window, window.end), direct, place_at(raw, raw.end), min(free_bytes(raw), staged)
        )
        if got > 0:
            direct = min(direct, <size_t>got)
            if direct:
                window.end += direct
                self.took(direct)
            raw.end += <size_t>got - direct
        return got

    # ------------------------------------------------------------ the body

    cdef Event parse(self) noexcept nogil:
        """Everything that has come, until something stops it."""
        cdef Event event = GO_ON if self.landing.outcome == ACCEPTED else REFUSED
        while event == GO_ON:
            event = self.step()
            if event == NEED:
                event = self.take_raw()
        return self.unsound(NO_MEMORY_LEFT) if self.landing.is_lost else event

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
            now = min(now, self.landing.room())
            if now == 0:
                return self.landing.refused()
            add(self.landing.window, peek(&raw, now), now, STAGING_BYTES)
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
        if self.landing.delimiter_bytes == 0 and self.state == IN_DATA:
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
        cdef size_t found = find_bytes(so_far.data, so_far.end, 0, self.landing.delimiter, self.landing.delimiter_bytes)
        cdef size_t gone = found + self.landing.delimiter_bytes
        if found == so_far.end:
            gone = so_far.end - min(so_far.end, self.landing.held_back)
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
            self.landing.go_on()
            self.state = IN_DATA
            return GO_ON
        if self.has_part:
            self.landing.cut()
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
            if end <= self.heads_bytes_max:
                return NEED
            return self.unsound(b"the headers of a part are longer than allowed")
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
        self.landing.begin(self.verdict)
        self.is_judged = self.landing.is_kept  # each part that is handed over is told of
        self.state = IN_DATA
        return GO_ON

    @property
    def head(self):
        return held_as_bytes(&self.head)

    def judge(self, int verdict):
        """See body.pyi."""
        self.is_judged, self.verdict = True, verdict

    cdef Event find_end_of_data(self) noexcept nogil:
        """What stood behind the head goes first into the window; what stands behind the boundary comes back."""
        cdef Growing* window = self.landing.window
        cdef Cursor rest = held(&self.held)
        cdef bint has_held = left(&rest) > 0
        cdef size_t now = min(left(&rest), self.landing.room()) if has_held else 0
        cdef size_t surplus = 0
        cdef Event event
        if has_held and now == 0:
            return self.landing.refused()
        add(window, peek(&rest, now), now, STAGING_BYTES)
        self.held.begin += now
        if not self.landing.find(&surplus):
            event = self.landing.not_yet()
            return GO_ON if event == NEED and held_bytes(&self.held) else event
        self.state = BEHIND_BOUNDARY
        if has_held:
            self.held.begin -= surplus
            return GO_ON
        self.held.begin = self.held.end = 0
        if not add(&self.held, place_at(window, window.end), surplus, STAGING_BYTES):
            return self.unsound(NO_MEMORY_LEFT)
        return GO_ON

    cdef Event end_part(self) noexcept nogil:
        cdef Event event = self.landing.end()
        if event == GO_ON or event == PART:
            self.state = self.following
        return event

    # ------------------------------------------------------------ for the caller; see body.pyi

    def take_data(self):
        return self.landing.taken(self.state != IN_DATA)

    @property
    def preamble(self):
        return self.landing.arrival.preamble if self.landing.is_kept else b""

    def keep_in(self, Lane lane not None):
        cdef Landing landing = self.landing
        if self.state != DATA_READ or not landing.is_kept or not landing.arrival.is_checked:
            raise ValueError("no part waits for another lane")
        with nogil:
            if landing.keep(lane) == GO_ON:
                self.state = self.following

    @property
    def parts(self):
        return self.landing.told()
