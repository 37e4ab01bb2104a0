"""The walk over a data set as a stream of events (PS3.5 7): one loop, no recursion, no allocation, never outside it."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from native.cursor cimport Cursor

cdef enum:
    DEPTH_MAX_C = 64
    STACK_MAX = 130          # the root, 64 sequences with their items, and a sentinel
    ELEMENTS_MAX_C = 4000000

cdef enum Syntax:
    IMPLICIT_LITTLE = 0
    EXPLICIT_LITTLE = 1
    EXPLICIT_BIG = 2
    DEFLATED_LITTLE = 3

cdef enum Step:
    STEP_FAILED = -1
    STEP_END = 0
    STEP_ELEMENT = 1         # tag, vr, value, length
    STEP_SEQUENCE = 2        # tag, vr: a sequence begins
    STEP_SEQUENCE_END = 3
    STEP_ITEM = 4
    STEP_ITEM_END = 5
    STEP_FRAGMENTS = 6       # tag, vr: encapsulated Pixel Data begins
    STEP_FRAGMENT = 7        # value, length; the first one is the Basic Offset Table
    STEP_FRAGMENTS_END = 8

cdef enum Fault:
    SOUND = 0
    CUT = 1                  # ends inside an element header
    PAST_END = 2             # a length passes the end
    BAD_VR = 3
    TOO_DEEP = 4
    BAD_ITEM = 5             # something else than an item in a sequence
    BAD_LENGTH = 6           # undefined length where none may be
    TOO_MANY = 7
    STRAY_DELIMITER = 8
    NO_UID = 9
    BAD_UID = 10
    INFLATE_FAILED = 11
    INFLATE_CEILING = 12
    NO_MEMORY = 13
    NOT_DICOM = 14
    BAD_META = 15
    OTHER_INSTANCE = 16      # from here on not of the walk: why a store is refused
    OTHER_CLASS = 17
    NOT_FOR_STORAGE = 18
    NO_ROOM = 19
    FAULTS_MAX = 20

cdef enum LevelKind:
    LEVEL_ITEM = 0           # the root is one too
    LEVEL_SEQUENCE = 1
    LEVEL_FRAGMENTS = 2

cdef struct Level:
    size_t end
    bint undefined
    bint implicit
    bint big
    LevelKind kind

cdef struct Walker:
    Cursor cursor
    int depth                # index of the top of the stack
    uint32_t elements
    Fault fault
    Level stack[STACK_MAX]
    # the event
    uint32_t tag
    uint16_t vr
    const uint8_t* value
    size_t length
    size_t header_at         # where the element or item header of the event begins
    bint big                 # byte order of the value

cdef void walk_begin(Walker* walker, const uint8_t* data, size_t length, Syntax syntax) noexcept nogil
# Over the items of a sequence of Implicit VR Little Endian that fills `length` bytes.
cdef void walk_items(Walker* walker, const uint8_t* data, size_t length) noexcept nogil
cdef Step walk_next(Walker* walker) noexcept nogil


cdef inline int deeper(Step step) noexcept nogil:
    """How an event moves the depth: for those who leave out what is inside something."""
    if step == STEP_SEQUENCE or step == STEP_ITEM or step == STEP_FRAGMENTS:
        return 1
    return -1 if step == STEP_SEQUENCE_END or step == STEP_ITEM_END or step == STEP_FRAGMENTS_END else 0
