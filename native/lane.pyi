"""The way into the intake that the engine hands to a protocol; opaque to it. Its C interface is in lane.pxd."""

from native.segment import Log
from typing_extensions import Buffer

class Lane:
    log: Log
    context: bytes
    headroom: int
    object_bytes_max: int
    gather_bytes_max: int
    def __init__(
        self,
        log: Log,
        context: bytes,
        spool_directory: int,
        spool_prefix: str,
        *,
        object_bytes_max: int,
        gather_bytes_max: int,
    ) -> None: ...
    def keep(self, parts: list[Buffer]) -> int:
        """Append one canonical file, gathered or spooled by its size; its LSN. Does not wait. Raises as Log.append_parts, and
        ValueError above object_bytes_max."""
