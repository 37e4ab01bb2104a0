"""What the fork server imports first: the engine under small limits, so that little crosses every border.

Never imported by pytest itself, where the limits stay as they are.
"""

import engine.limits
from engine.limits import KIB, MIB, Limits

engine.limits.LIMITS = Limits(
    gather_bytes_max=64 * KIB,
    object_bytes_max=64 * MIB,
    segment_bytes=MIB,
    pending_files_max=24,
    batch_records_max=8,
    batch_bytes_max=256 * KIB,
    reserve_bytes=16 * MIB,
)

import tests.durability.cellar  # noqa: E402
import tests.durability.host  # noqa: E402, F401
