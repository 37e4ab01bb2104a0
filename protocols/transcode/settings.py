"""What bounds transcoding. Every limit has its reason beside it."""

import msgspec

KIB = 1 << 10
MIB = 1 << 20


class TranscodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one process; ``folder`` is where large results stand while they are sent (None: the system's)."""

    folder: str | None = None
    # Results from here on go to an unlinked file: sixteen retrievals at once stay below 400 MB.
    held_bytes_max: int = 8 * MIB
    # Pieces of copying and sending: memory stays flat whatever the size of Pixel Data.
    piece_bytes: int = MIB
    # Rewriting is copying: more at once than there are cores gains nothing.
    rewrites_max: int = 4

    # Worker processes that fold and unfold pixels; each takes a core when busy.
    workers_max: int = 2
    # One frame, unfolded: the largest mammogram is 60 MB, a 16k x 5k RGB scan 240 MB; a bomb declares 4 GB (H38).
    frame_bytes_max: int = 256 * MIB
    # What a worker may use above what it has after its start, in frames: JPEG 2000 takes 4 bytes a sample, twice.
    memory_factor: int = 12
    memory_bytes_min: int = 256 * MIB
    # A frame of 60 MB takes JPEG 2000 about 20 s on a slow machine; a worker that takes longer is killed.
    frame_seconds_max: float = 60.0
    # A worker with nothing to do for so long ends, so that an idle archive stays small.
    idle_seconds: float = 60.0
    # Frames cached by content, all together.
    cache_bytes_max: int = 64 * MIB
