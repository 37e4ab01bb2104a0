"""What an administrator chooses about the store (``[store]`` in the configuration). Values, validated once."""

from typing import Literal

import msgspec

from engine.errors import Invalid
from engine.limits import GIB, LIMITS

Acknowledge = Literal["disk", "object"]
Checkpoint = Literal["auto", "files", "syncfs"]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[store]``. Raises ``Invalid`` with a sentence that names the setting.

    ``url``: a folder, ``file://...`` or ``memory://``. ``ack``: what "success" promises: ``disk`` = in the intake,
    synced; ``object`` = object and journal both stored. ``checkpoint``: how spilled files are made durable: one by
    one (``files``), or the whole file system at once (``syncfs``: ext4 and xfs, Linux 5.8 or newer); ``auto``
    chooses.
    """

    url: str = "./filmroom-data"
    ack: Acknowledge = "disk"
    checkpoint: Checkpoint = "auto"
    intake_bytes_max: int = GIB
    grace_days: int = 30

    def __post_init__(self) -> None:
        if not self.url:
            raise Invalid("store.url is empty: name a folder, or memory://")
        if self.intake_bytes_max < 2 * LIMITS.segment_bytes:
            raise Invalid(f"store.intake_bytes_max must be at least {2 * LIMITS.segment_bytes} (two segments)")
        if not 0 <= self.grace_days <= 36_500:
            raise Invalid("store.grace_days must be between 0 and 36500")
