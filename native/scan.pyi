"""What stands in the segments of the intake log, read back. Format: engine/keep/intake_format.py draws the record."""

class Entry:
    """A record's place: what drains out of the log, and what a scan finds."""

    lsn: int
    stamp: int
    kind: int
    segment: int
    generation: int
    context: bytes | None  # of a scan; a drained entry has it before its payload in the segment
    context_length: int
    payload_offset: int  # in the segment file
    payload_length: int
    synced_to: int
    key: bytes  # XXH3-128 of the payload (of the spooled file for KIND_SPOOLED), canonical 16 bytes

class Scan:
    """What stands in one segment."""

    entries: list[Entry]
    synced_to_max: int
    end: int  # offset behind the last sound record
    torn: bool  # something that looks like a record of this generation follows but does not check

def scan(fd: int, number: int, generation: int, capacity_bytes: int) -> Scan:
    """Every sound record of one segment (fdatasynced first by the caller)."""
