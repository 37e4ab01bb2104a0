"""The content digest: equal for every encoding of the same content, different for everything else.

XXH3-128 over tokens, one an event of the walk. Not counted: group lengths, trailing padding elements (FFFC,FFFC), the
form of sequence lengths, byte order, value representations, and the padding of text. Pixel Data counts as its bytes (of
16-bit big endian words: swapped), encapsulated Pixel Data as its fragments. What a value means (text, word size) is
decided by its tag alone, so that an encoding without representations (Implicit VR) gives the same tokens::

    V tag length(8) value     an element            S tag     a sequence with at least one item
    I                         an item               E         its sequence ends
    P tag                     fragments begin       F length(8) value ... E

A private value that reads soundly as items of Implicit VR Little Endian counts as that sequence, whatever
representation it says: Implicit VR files do not tell (at most GUESSES_MAX such values inside each other). An empty
sequence is an empty value. Each token says its own length, so that no two streams of tokens are the same bytes.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from native.cursor cimport Cursor, cursor_over, le32, left, part, put_le32, put_le64, take, unpadded
from native.gate cimport let_go
from native.vr cimport is_text, vr_of, word_bytes
from native.walker cimport (
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    STEP_FRAGMENT,
    STEP_FRAGMENTS,
    STEP_FRAGMENTS_END,
    STEP_ITEM,
    STEP_SEQUENCE,
    STEP_SEQUENCE_END,
    Step,
    Walker,
    walk_items,
    walk_next,
)
from native.xxh cimport (
    XXH3_128bits_reset,
    XXH3_128bits_update,
    XXH3_createState,
    XXH3_freeState,
    xxh128_digest,
)

cdef enum:
    SWAP_BYTES = 4096
    GUESSES_MAX = 8
    LET_GO_BYTES = 1 << 24


cdef bint digest_begin(Digest* digest, bint is_mapped=False) noexcept nogil:
    digest.state = XXH3_createState()
    digest.is_mapped = is_mapped
    digest.waiting = False
    digest.guesses = 0
    return digest.state != NULL and XXH3_128bits_reset(digest.state) == 0


cdef void value(Digest* digest, const uint8_t* data, size_t length) noexcept nogil:
    """Bytes of a value as they are, however large a mapped one is in little memory."""
    cdef Cursor left_over = cursor_over(data, length)
    cdef const uint8_t* block
    while digest.is_mapped and left(&left_over) > LET_GO_BYTES:
        block = take(&left_over, LET_GO_BYTES)
        XXH3_128bits_update(digest.state, block, LET_GO_BYTES)
        let_go(block, LET_GO_BYTES)
    length = left(&left_over)
    XXH3_128bits_update(digest.state, take(&left_over, length), length)


cdef void token(Digest* digest, uint8_t kind, uint32_t tag, bint tagged) noexcept nogil:
    cdef uint8_t mark[5]
    mark[0] = kind
    put_le32(&mark[1], tag)
    XXH3_128bits_update(digest.state, mark, 5 if tagged else 1)


cdef void settle_waiting(Digest* digest) noexcept nogil:
    """The sequence that was begun has an item after all."""
    if digest.waiting:
        token(digest, 83, digest.waiting_tag, True)
        digest.waiting = False


cdef void swapped(Digest* digest, const uint8_t* value, size_t length, int word) noexcept nogil:
    """Hash big-endian words as little-endian ones; a rest that fills no word as it is."""
    cdef uint8_t block[SWAP_BYTES]
    cdef size_t at = 0, count, i
    cdef int k
    while length - at >= <size_t>word:
        count = length - at
        if count > SWAP_BYTES:
            count = SWAP_BYTES
        count -= count % word
        i = 0
        while i < count:
            for k in range(word):
                block[i + k] = value[at + i + word - 1 - k]
            i += word
        XXH3_128bits_update(digest.state, block, count)
        at += count
    if length > at:
        XXH3_128bits_update(digest.state, part(value, length, at, length - at), length - at)


cdef bint is_sequence(Walker* inner, const Walker* walker) noexcept nogil:
    """Whether a private value is items to its very end; ``inner`` is then at their beginning."""
    cdef Step step
    if not (walker.tag >> 16) & 1 or walker.length < 8 or (walker.big and word_bytes(walker.vr) > 1):
        return False
    if le32(walker.value) != 0xE000FFFEU:
        return False
    walk_items(inner, walker.value, walker.length)
    while True:
        step = walk_next(inner)
        if step == STEP_FAILED:
            return False
        if step == STEP_END:
            walk_items(inner, walker.value, walker.length)
            return True


cdef void guessed_sequence(Digest* digest, uint32_t tag, Walker* inner) noexcept nogil:
    cdef Step step
    token(digest, 83, tag, True)
    digest.guesses += 1
    while True:
        step = walk_next(inner)
        if step == STEP_END or step == STEP_FAILED:
            break
        digest_event(digest, step, inner)
    digest.guesses -= 1
    token(digest, 69, 0, False)


cdef void element(Digest* digest, uint32_t tag, const Walker* walker) noexcept nogil:
    cdef Walker inner
    cdef uint16_t vr = vr_of(tag)
    cdef size_t length = walker.length
    cdef uint8_t size[8]
    cdef int word
    if tag & 0xFFFF == 0 or tag == 0xFFFCFFFCU:
        return
    if digest.guesses < GUESSES_MAX and is_sequence(&inner, walker):
        guessed_sequence(digest, tag, &inner)
        return
    if is_text(vr) and not (tag >> 16) & 1:
        length = unpadded(walker.value, length)
    token(digest, 86, tag, True)
    put_le64(size, length)
    XXH3_128bits_update(digest.state, size, 8)
    word = word_bytes(walker.vr) if walker.big else 1
    if word > 1:
        swapped(digest, walker.value, length, word)
    elif length:
        value(digest, walker.value, length)


cdef void digest_event(Digest* digest, Step step, const Walker* walker) noexcept nogil:
    cdef uint8_t size[8]
    if step == STEP_ELEMENT:
        element(digest, walker.tag, walker)
    elif step == STEP_SEQUENCE:
        digest.waiting, digest.waiting_tag = True, walker.tag
    elif step == STEP_ITEM:
        settle_waiting(digest)
        token(digest, 73, 0, False)
    elif step == STEP_SEQUENCE_END:
        if digest.waiting:
            digest.waiting = False
            token(digest, 86, digest.waiting_tag, True)
            put_le64(size, 0)
            XXH3_128bits_update(digest.state, size, 8)
        else:
            token(digest, 69, 0, False)
    elif step == STEP_FRAGMENTS:
        token(digest, 80, walker.tag, True)
    elif step == STEP_FRAGMENT:
        token(digest, 70, 0, False)
        put_le64(size, walker.length)
        XXH3_128bits_update(digest.state, size, 8)
        value(digest, walker.value, walker.length)
    elif step == STEP_FRAGMENTS_END:
        token(digest, 69, 0, False)


cdef void digest_end(Digest* digest, uint8_t* out) noexcept nogil:
    if digest.state != NULL:
        xxh128_digest(digest.state, out)
        XXH3_freeState(digest.state)
        digest.state = NULL
