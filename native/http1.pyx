"""HTTP/1.1 as a server reads it (RFC 9112), without a socket of its own. See http1.pyi."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from native.cursor cimport Cursor, byte_at, bytes_of, find_byte, left, part, skip, take
from native.framing cimport (
    FRAME_DATA,
    FRAME_END,
    FRAME_MALFORMED,
    SAID,
    WHOLE,
    Frame,
    Framing,
    framing_begin,
    framing_next,
    framing_took,
    is_blank,
    is_text,
)
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
from native.socket_io cimport receive

cdef enum:
    HEAD_ROOM = 4 << 10      # received at once of a head, and what an idle connection holds
    BODY_ROOM = 256 << 10    # of a body
    LENGTH_DIGITS_MAX = 18

# What a byte may be part of.
cdef enum:
    TOKEN = 1                # a method, a header's name (RFC 9110 5.6.2)
    VISIBLE = 2              # a target
    VALUE = 4                # a header's value (RFC 9110 5.5)

cdef uint8_t KINDS[256]


cdef void fill_kinds() noexcept:
    cdef int byte
    for byte in range(256):
        KINDS[byte] = 0
        if 0x21 <= byte < 0x7F:
            KINDS[byte] |= VISIBLE
        if is_text(byte):
            KINDS[byte] |= VALUE
        if c"0" <= byte <= c"9" or c"a" <= byte <= c"z" or c"A" <= byte <= c"Z":
            KINDS[byte] |= TOKEN
    for byte in b"!#$%&'*+-.^_`|~":
        KINDS[byte] |= TOKEN


fill_kinds()


class Refused(ValueError):
    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


cdef class Head:
    cdef readonly str method
    cdef readonly str path
    cdef readonly bytes query
    cdef readonly dict headers
    cdef readonly int minor
    cdef readonly int64_t length
    cdef readonly bint is_keeping
    cdef readonly bint is_expecting


cdef struct Line:
    const uint8_t* data
    size_t length


cdef size_t run_of(const Line* line, size_t at, uint8_t kind) noexcept nogil:
    """Where the first byte that is of another kind stands."""
    while at < line.length and KINDS[line.data[at]] & kind:
        at += 1
    return at


cdef inline str text_of(const Line* line, size_t begin, size_t end):
    return bytes_of(part(line.data, line.length, begin, end - begin), end - begin).decode("latin-1")


cdef str read_request_line(Head head, const Line* line):
    """The host that the target names, if it does."""
    cdef size_t method = run_of(line, 0, TOKEN)
    cdef size_t target = run_of(line, method + 1, VISIBLE)
    cdef bytes version
    if method == 0 or method >= line.length or line.data[method] != c" " or target >= line.length:
        raise Refused(400, "the request line is malformed")
    if target == method + 1 or line.data[target] != c" ":
        raise Refused(400, "the request line is malformed")
    version = bytes_of(part(line.data, line.length, target + 1, line.length - target - 1), line.length - target - 1)
    if version == b"HTTP/1.1":
        head.minor = 1
    elif version == b"HTTP/1.0":
        head.minor = 0
    elif len(version) == 8 and version.startswith(b"HTTP/"):
        raise Refused(505, "HTTP/1.1 is spoken here")
    else:
        raise Refused(400, "the request line is malformed")
    head.method = text_of(line, 0, method)
    return read_target(head, text_of(line, method + 1, target))


cdef str read_target(Head head, str target):
    """Origin form, absolute form (its authority counts for Host), or ``*`` (RFC 9112 3.2)."""
    cdef str host = None
    if not target.startswith("/") and target != "*":
        if target[:7].lower() != "http://" and target[:8].lower() != "https://":
            raise Refused(400, "the target is no path")
        host, slash, rest = target.partition("://")[2].partition("/")
        if "?" in host or not host:
            raise Refused(400, "the target is no path")
        target = slash + rest or "/"
    head.path, _, query = target.partition("?")
    head.query = query.encode("latin-1")
    return host


cdef int read_header(Head head, const Line* line) except -1:
    cdef size_t name = run_of(line, 0, TOKEN)
    cdef size_t begin = name + 1
    cdef size_t end = line.length
    if name == 0 or name >= line.length or line.data[name] != c":":
        raise Refused(400, "a header is malformed")
    while begin < end and is_blank(line.data[begin]):
        begin += 1
    while end > begin and is_blank(line.data[end - 1]):
        end -= 1
    if run_of(line, begin, VALUE) < end:
        raise Refused(400, "a header holds a control character")
    cdef str key = text_of(line, 0, name).lower()
    cdef str value = text_of(line, begin, end)
    before = head.headers.get(key)
    if before is None:
        head.headers[key] = value
    elif key == "host" or key == "content-length":
        raise Refused(400, "the request has two hosts or lengths")
    else:
        head.headers[key] = f"{before}, {value}"
    return 0


cdef int read_framing(Head head) except -1:
    """What of a body follows, and whether the connection stays (RFC 9112 6.3, 9.3). Doubt is refused: who stands
    between us and the client may read it otherwise."""
    cdef str length = head.headers.get("content-length")
    cdef str coding = head.headers.get("transfer-encoding")
    cdef str said
    if head.minor and "host" not in head.headers:
        raise Refused(400, "the request has no Host")
    if coding is not None:
        if length is not None:
            raise Refused(400, "Content-Length and Transfer-Encoding exclude each other")
        if not head.minor:
            raise Refused(400, "HTTP/1.0 has no Transfer-Encoding")
        if coding.lower() != "chunked":
            raise Refused(501, "the only Transfer-Encoding here is chunked")
        head.length = -1
    elif length is not None:
        if not (length.isascii() and length.isdigit()) or len(length) > LENGTH_DIGITS_MAX:
            raise Refused(400, "the Content-Length is no number")
        head.length = int(length)
    head.is_keeping = head.minor == 1
    said = head.headers.get("connection")
    if said is not None:
        tokens = [token.strip() for token in said.lower().split(",")]
        head.is_keeping = (head.minor == 1 or "keep-alive" in tokens) and "close" not in tokens
    said = head.headers.get("expect")
    head.is_expecting = said is not None and head.minor == 1 and said.lower() == "100-continue"
    return 0


cdef class Incoming:
    cdef Growing room
    cdef Framing framing
    cdef size_t seen         # of the head that comes: looked through for its end
    cdef size_t line         # where its last line begins
    cdef size_t head_bytes_max
    cdef int headers_count_max

    def __cinit__(self, size_t head_bytes_max, int headers_count_max):
        self.head_bytes_max = head_bytes_max
        self.headers_count_max = headers_count_max
        framing_begin(&self.framing, False, 0)

    def __dealloc__(self):
        release(&self.room)

    @property
    def held_bytes(self):
        return held_bytes(&self.room)

    @property
    def is_body_whole(self):
        cdef Cursor cursor = held(&self.room)
        cdef Frame frame = framing_next(&self.framing, &cursor)
        self.took(cursor.at)
        return frame == FRAME_END

    def feed(self, const uint8_t[::1] data):
        if data.shape[0] and not add(&self.room, &data[0], data.shape[0], HEAD_ROOM):
            raise MemoryError

    def receive(self, int fileno):
        cdef size_t wanted = HEAD_ROOM
        if self.framing.state == SAID:
            wanted = <size_t>min(max(self.framing.left, <uint64_t>HEAD_ROOM), <uint64_t>BODY_ROOM)
        elif self.framing.state != WHOLE:
            wanted = BODY_ROOM
        if free_bytes(&self.room) < wanted:
            compact(&self.room)
        if not grow(&self.room, self.room.end + wanted, HEAD_ROOM):
            raise MemoryError
        cdef int64_t count = receive(fileno, place_at(&self.room, self.room.end), free_bytes(&self.room), NULL, 0)
        if count > 0:
            self.room.end += count
        elif count == -2:
            raise ConnectionError("the connection is broken")
        return count

    def head(self):
        cdef size_t length = self.head_end()
        if length > self.head_bytes_max or not length and held_bytes(&self.room) > self.head_bytes_max:
            raise Refused(431, "the request's headers are too long")
        if not length:
            return None
        cdef Cursor cursor = held(&self.room)
        cdef Cursor lines
        lines.data, lines.at, lines.end = take(&cursor, length), 0, length - 2
        cdef Head head = self.read_head(&lines)
        framing_begin(&self.framing, head.length < 0, head.length if head.length > 0 else 0)
        self.took(length)
        self.seen = self.line = 0
        return head

    def body(self):
        cdef Cursor cursor = held(&self.room)
        cdef Frame frame = framing_next(&self.framing, &cursor)
        cdef size_t count
        cdef list pieces = []
        while frame == FRAME_DATA and left(&cursor):
            count = <size_t>min(<uint64_t>left(&cursor), self.framing.left)
            pieces.append(bytes_of(take(&cursor, count), count))
            framing_took(&self.framing, count)
            frame = framing_next(&self.framing, &cursor)
        self.took(cursor.at)
        if pieces:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if frame == FRAME_MALFORMED:
            raise Refused(400, "the body's chunks are malformed")
        return b"" if frame == FRAME_END else None

    def drop(self):
        release(&self.room)
        self.seen = self.line = 0

    def lend(self):
        cdef bytes data = held_as_bytes(&self.room)
        self.drop()
        return data

    def take_back(self, bytes rest, bint is_whole):
        if is_whole:
            framing_begin(&self.framing, False, 0)
            self.feed(rest)

    cdef int took(self, size_t count) except -1:
        """So many bytes at the front are done with. The room of a large body is given back behind it."""
        self.room.begin += count
        if self.room.begin >= self.room.end:
            self.room.begin = self.room.end = 0
            if self.room.capacity > HEAD_ROOM and self.framing.state == WHOLE:
                release(&self.room)
        return 0

    cdef size_t head_end(self) except? 0:
        """How long the head is, with the empty line at its end; 0: more is needed."""
        cdef Cursor cursor = held(&self.room)
        while left(&cursor) >= 2 and byte_at(&cursor, 0) == c"\r" and byte_at(&cursor, 1) == c"\n" and not self.line:
            skip(&cursor, 2)  # empty lines before a request count for nothing (RFC 9112 2.2)
            self.seen = 0
        self.took(cursor.at)
        cursor = held(&self.room)
        if left(&cursor) and not KINDS[byte_at(&cursor, 0)] & TOKEN and byte_at(&cursor, 0) != c"\r":
            raise Refused(400, "this is no HTTP request")
        return self.line_end(cursor.data, left(&cursor))

    cdef size_t line_end(self, const uint8_t* data, size_t length) except? 0:
        """Where the empty line ends. Each line feed stands behind a carriage return: what else reads one alone as a
        line's end, reads another request (H53)."""
        cdef size_t found
        while self.seen < length:
            found = self.seen + find_byte(part(data, length, self.seen, length - self.seen), length - self.seen, c"\n")
            if found == length:
                self.seen = length
                return 0
            if found == 0 or data[found - 1] != c"\r":
                raise Refused(400, "a line ends without a carriage return")
            if found - 1 == self.line:
                return found + 1
            self.seen = self.line = found + 1
        return 0

    cdef Head read_head(self, Cursor* lines):
        cdef Head head = Head.__new__(Head)
        cdef Line line
        cdef int count = 0
        next_line(lines, &line)
        cdef str host = read_request_line(head, &line)
        head.headers = {}
        while left(lines):
            next_line(lines, &line)
            count += 1
            if count > self.headers_count_max:
                raise Refused(431, "the request has too many headers")
            read_header(head, &line)
        read_framing(head)
        if host is not None:
            head.headers["host"] = host
        return head


cdef int next_line(Cursor* lines, Line* line) noexcept:
    """Without its end."""
    cdef size_t rest = left(lines)
    cdef const uint8_t* data = part(lines.data, lines.end, lines.at, rest)
    cdef size_t feed = find_byte(data, rest, c"\n")
    line.data, line.length = data, feed - 1 if feed else 0
    take(lines, min(feed + 1, rest))
    return 0
