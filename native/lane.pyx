"""See lane.pxd."""

from libc.stdint cimport int64_t, uint8_t, uint64_t  # no-cython-lint
from libc.stdio cimport snprintf
from libc.string cimport memcpy

from native.cursor cimport put_be32
from native.gate cimport (
    O_CLOEXEC,
    O_CREAT,
    O_EXCL,
    O_RDWR,
    close,
    fdatasync,
    fsync,
    map_file,
    munmap,
    openat,
    unlinkat,
    write_all,
)
from native.ledger cimport ACCEPTED, FAILED, FULL, TOO_LARGE, Outcome, ledger_await_room, ledger_charge
from native.record cimport CONTEXT_BYTES_MAX, RECORD_HEAD_BYTES
from native.segment cimport Log, raise_for
from native.xxh cimport (
    XXH3_128bits_reset,
    XXH3_128bits_update,
    XXH3_createState,
    XXH3_freeState,
    XXH3_state_t,
    xxh128,
    xxh128_digest,
)

cdef enum:
    SPOOLED = 2
    INSTANCE = 1
    SPOOLED_PAYLOAD_MAX = 160


cdef class Lane:
    def __cinit__(
        self, Log log, bytes context, int spool_directory, str spool_prefix, *, uint64_t object_bytes_max,
        uint64_t gather_bytes_max
    ):
        if len(context) > CONTEXT_BYTES_MAX or len(spool_prefix) > 40:
            raise ValueError("the context of a lane is too long")
        self.log = log
        self.context = context
        self.headroom = RECORD_HEAD_BYTES + len(context)
        self.object_bytes_max = object_bytes_max
        self.gather_bytes_max = gather_bytes_max
        self.spool_directory = spool_directory
        self.spool_prefix_bytes = spool_prefix.encode("ascii")
        self.context_data = self.context
        self.context_length = len(context)
        self.prefix_data = self.spool_prefix_bytes

    cdef Outcome append(self, uint8_t* payload, uint64_t length, uint64_t* lsn) noexcept nogil:
        cdef uint8_t key[16]
        if length > self.object_bytes_max:
            return TOO_LARGE
        memcpy(payload - self.context_length, self.context_data, self.context_length)
        xxh128(payload, length, key)
        return self.log.append(INSTANCE, payload - self.headroom, self.context_length, length, key, lsn)

    cdef Outcome wait(self, uint64_t lsn) noexcept nogil:
        return self.log.wait_for(lsn)

    cdef Outcome spool_begin(self, Spool* spool) noexcept nogil:
        """Waits for room as an append does; once begun, an object may be larger than what is left of it."""
        cdef Outcome outcome = ledger_await_room(&self.log.ledger)
        if outcome != ACCEPTED:
            return outcome
        self.spool_serial += 1
        snprintf(spool.name, sizeof(spool.name), b"%s-%llu", self.prefix_data, <unsigned long long>self.spool_serial)
        spool.length = 0
        spool.mapped = NULL
        spool.hash128 = XXH3_createState()
        spool.fd = openat(self.spool_directory, spool.name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if spool.fd < 0 or spool.hash128 == NULL:
            self.spool_abort(spool)
            return FAILED
        XXH3_128bits_reset(<XXH3_state_t*>spool.hash128)
        return ACCEPTED

    cdef Outcome spool_write(self, Spool* spool, const uint8_t* data, uint64_t length) noexcept nogil:
        if length > self.object_bytes_max - spool.length:
            return TOO_LARGE
        if self.log.ledger.refusing:
            return FULL
        if write_all(spool.fd, data, length):
            return FAILED
        ledger_charge(&self.log.ledger, length)
        XXH3_128bits_update(<XXH3_state_t*>spool.hash128, data, length)
        spool.length += length
        return ACCEPTED

    cdef const uint8_t* spool_map(self, Spool* spool) noexcept nogil:
        if spool.mapped == NULL and spool.length:
            spool.mapped = <const uint8_t*>map_file(spool.fd, spool.length)
        return spool.mapped

    cdef Outcome spool_finish(self, Spool* spool, uint64_t* lsn) noexcept nogil:
        """Durable file and name first, then the record that names it."""
        cdef uint8_t record[RECORD_HEAD_BYTES + CONTEXT_BYTES_MAX + SPOOLED_PAYLOAD_MAX]
        cdef uint8_t key[16]
        cdef uint64_t length
        cdef Outcome outcome = FAILED
        xxh128_digest(<XXH3_state_t*>spool.hash128, key)
        if fdatasync(spool.fd) == 0 and fsync(self.spool_directory) == 0:
            memcpy(record + RECORD_HEAD_BYTES, self.context_data, self.context_length)
            length = spooled_payload(record + self.headroom, spool, key)
            outcome = self.log.append(SPOOLED, record, self.context_length, length, key, lsn)
        if outcome == ACCEPTED:
            spool_release(spool)
        else:
            self.spool_abort(spool)
        return outcome

    cdef void spool_abort(self, Spool* spool) noexcept nogil:
        """Away with the file, if it is ours: one that was there before us belongs to a record. No backlog any more."""
        cdef bint is_ours = spool.fd >= 0
        spool_release(spool)
        if is_ours:
            unlinkat(self.spool_directory, spool.name, 0)
        ledger_charge(&self.log.ledger, -<int64_t>spool.length)
        spool.length = 0

    def keep(self, list parts):
        cdef Spool spool
        cdef uint64_t lsn = 0, total
        cdef const uint8_t[::1] part
        cdef Outcome outcome
        views = [memoryview(one).cast("B") for one in parts]
        total = sum([one.nbytes for one in views])
        if total > self.object_bytes_max:
            raise ValueError("larger than an object may be")
        if total <= self.gather_bytes_max:
            return self.log.append_parts(self.context, INSTANCE, views)
        with nogil:
            outcome = self.spool_begin(&spool)
        for part in views:
            if outcome == ACCEPTED and part.shape[0]:
                with nogil:
                    outcome = self.spool_write(&spool, &part[0], part.shape[0])
                if outcome != ACCEPTED:
                    self.spool_abort(&spool)
        if outcome == ACCEPTED:
            with nogil:
                outcome = self.spool_finish(&spool, &lsn)
        raise_for(self.log, outcome)
        return lsn


cdef void spool_release(Spool* spool) noexcept nogil:
    if spool.mapped != NULL:
        munmap(<void*>spool.mapped, spool.length)
        spool.mapped = NULL
    if spool.fd >= 0:
        close(spool.fd)
        spool.fd = -1
    if spool.hash128 != NULL:
        XXH3_freeState(<XXH3_state_t*>spool.hash128)
        spool.hash128 = NULL


cdef uint64_t spooled_payload(uint8_t* out, const Spool* spool, const uint8_t* key) noexcept nogil:
    """msgpack of intake_format.Spooled."""
    cdef uint64_t at = 0
    cdef size_t name_length = 0
    while spool.name[name_length]:
        name_length += 1
    out[0] = 0x83
    memcpy(out + 1, b"\xa4name\xd9", 6)
    out[7] = <uint8_t>name_length
    memcpy(out + 8, spool.name, name_length)
    at = 8 + name_length
    memcpy(out + at, b"\xa6length\xcf", 8)
    put_be32(out + at + 8, <unsigned int>(spool.length >> 32))
    put_be32(out + at + 12, <unsigned int>(spool.length & 0xFFFFFFFFU))
    memcpy(out + at + 16, b"\xa3key\xc4\x10", 6)
    memcpy(out + at + 22, key, 16)
    return at + 38
