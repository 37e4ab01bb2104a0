"""What an administrator chooses about the store (``[store]`` in the configuration). Values, validated once."""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.errors import Invalid
from engine.limits import GIB, LIMITS
from native.text import CHARACTER_SET_PATTERN

Acknowledge = Literal["disk", "object"]
Checkpoint = Literal["auto", "files", "syncfs"]
CharacterSet = Annotated[
    str,
    Meta(
        pattern=CHARACTER_SET_PATTERN,
        extra={"allowed": "a Specific Character Set: ISO_IR 192, GB18030, \\ISO 2022 IR 87 and the like"},
    ),
]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[store]``. Raises ``Invalid`` with a sentence that names the setting."""

    url: Annotated[
        str,
        Meta(
            description="Where the archive is.",
            extra={"allowed": "a folder, file://FOLDER, s3://BUCKET/PREFIX, gs://…, az://… or memory://"},
        ),
    ] = "./filmroom-data"
    node_dir: Annotated[
        str,
        Meta(
            description="This machine's own folder: intake, index, cache. Empty: FOLDER/node, or ./filmroom-data/node "
            "for a bucket.",
            extra={"allowed": "a folder"},
        ),
    ] = ""
    endpoint: Annotated[
        str, Meta(description="Where the bucket's service is; empty: the cloud's own.", extra={"allowed": "a URL"})
    ] = ""
    region: Annotated[str, Meta(description="Region of the bucket; empty: from the environment.")] = ""
    ack: Annotated[
        Acknowledge,
        Meta(description="What success promises: disk: in the synced intake; object: object and journal are stored."),
    ] = "disk"
    checkpoint: Annotated[
        Checkpoint,
        Meta(
            description="How spilled files become durable: one by one, or the file system at once (syncfs: ext4 and "
            "xfs, Linux 5.8 or newer); auto chooses."
        ),
    ] = "auto"
    intake_bytes_max: Annotated[
        int,
        Meta(ge=2 * LIMITS.segment_bytes, description="Bytes that may wait in the intake before senders have to wait."),
    ] = GIB
    damaged: Annotated[
        Literal["refuse", "read"],
        Meta(
            description="When the journal is damaged and has to be read: refuse to open, or open read-only what "
            "the rest of it tells."
        ),
    ] = "refuse"
    character_set: Annotated[
        CharacterSet,
        Meta(
            description="Specific Character Set of objects that name none: of those that come; after `filmroom "
            "reindex` of all."
        ),
    ] = ""
    grace_days: Annotated[int, Meta(ge=0, le=36_500, description="Days for which what is deleted can be restored.")] = (
        30
    )
    retention_days: Annotated[
        int, Meta(ge=0, le=36_500, description="Days for which an instance cannot be deleted at all; 0: none.")
    ] = 0

    worklist_days: Annotated[
        int, Meta(ge=0, le=36_500, description="Days for which a workitem is kept that was completed or canceled.")
    ] = 7

    def __post_init__(self) -> None:
        if not self.url:
            raise Invalid("store.url is empty: name a folder, or memory://")
        if self.intake_bytes_max < 2 * LIMITS.segment_bytes:
            raise Invalid(f"store.intake_bytes_max must be at least {2 * LIMITS.segment_bytes} (two segments)")
        if not 0 <= self.grace_days <= 36_500:
            raise Invalid("store.grace_days must be between 0 and 36500")
        if not 0 <= self.retention_days <= 36_500:
            raise Invalid("store.retention_days must be between 0 and 36500")
        if not 0 <= self.worklist_days <= 36_500:
            raise Invalid("store.worklist_days must be between 0 and 36500")
        if not re.fullmatch(CHARACTER_SET_PATTERN, self.character_set):
            raise Invalid(f"store.character_set is no Specific Character Set: {self.character_set!r:.80}")


def settings_at(url: str | None, settings: StoreSettings | None) -> StoreSettings:
    """The settings, or the usual ones, at that URL when there is one. Raises Invalid."""
    chosen = settings or StoreSettings()
    return chosen if url is None else msgspec.structs.replace(chosen, url=url)
