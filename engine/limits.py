"""Every limit of the engine: its unit last in its name, its reason beside it, the relations between them asserted.

Limits bound what is held, indexed or waited for; never what is kept. ``Limits`` is a value, so that tests make small
ones.
"""

import msgspec

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one archive. Raises ``ValueError`` when two of them do not fit together."""

    # An instance above this is streamed to a spool file, so that memory does not grow with the size of what is sent.
    gather_bytes_max: int = 4 * MIB
    # One instance: a week of ultrasound or a whole slide fits; a peer that never stops does not fill the disk alone.
    object_bytes_max: int = 256 * GIB
    # Ranged reads take whole chunks and check their BLAKE3 before a byte is sent (a stored number: never change it).
    chunk_bytes: int = MIB

    # One intake segment: large enough that filling a new one with zeros is rare, small enough that a few fit the
    # intake.
    segment_bytes: int = 64 * MIB
    # Empty segments held ready once something was stored: a burst of theirs waits for no zeros. At rest, so many stay.
    segments_ahead_count: int = 4
    segments_at_rest_count: int = 2
    # Records between acknowledgement and spill: bounds the memory that their descriptions take (about 4 kB each).
    ring_entries_max: int = 32_768
    # How long a response is held back while the intake is full, before A700: below the time-outs that peers use (30 s).
    intake_wait_ms_max: int = 20_000
    # Stores stop while less than the backlog and this share of the disk is free: what is acknowledged must find room.
    free_percent_min: float = 5.0
    # Held ahead, and lent to those who make room: delete and collection can still write when all else is refused.
    reserve_bytes: int = 256 * MIB

    # Files written and held open until the checkpoint syncs them on the very descriptor that wrote them.
    pending_files_max: int = 4096
    # Descriptors left to everything else (sockets, segments, index) when the process may open only few.
    descriptors_reserved: int = 256
    # Re-reading in pieces: verify and comparing stay flat in memory whatever the object's size.
    read_bytes: int = MIB

    # Records and bytes of one journal batch before compression: one append stays within tens of milliseconds.
    batch_records_max: int = 1024
    batch_bytes_max: int = 16 * MIB
    # A batch that unfolds to more is not read (a damaged or hostile length must not take the memory).
    batch_unfolded_bytes_max: int = 512 * MIB
    # Tries of one journal append before the caller hears that the store is not available.
    append_attempts_max: int = 4
    # Rounds of losing a number to other writers of a stream before one says so; each round another writer has won.
    stream_races_max: int = 10_000
    # Different bytes under one 128-bit hash: one suffix each. More is not chance but an attack, and is refused.
    collisions_max: int = 16

    # Records described and folded at a time: large enough to share the index's cost, small enough that the oldest of
    # them is found within tens of milliseconds.
    drain_batch_count_max: int = 256
    # While nobody asks, the drain waits until senders pause for so long, it waited so long, or so many wait (100 us
    # each for the next query): a burst is folded behind it, and a wake for each costs more than it saves.
    drain_pause_ms: int = 10
    drain_linger_ms_max: int = 500
    drain_linger_count_max: int = 2048
    # Folded records that may wait for the spill; above, the drain waits, and the intake fills (back-pressure).
    spill_backlog_count_max: int = 4096
    # The spill rests while senders send: until they pause for so long, so many wait or one waits for so long (other
    # nodes see what is spilled), or half of the intake is full.
    spill_pause_seconds: float = 0.1
    spill_rest_count_max: int = 2048
    spill_rest_seconds_max: float = 3.0
    # Objects and journal records written in one step: large enough to share the journal's syncs.
    spill_group_count_max: int = 256
    # Answers of library stores and imports that nobody has fetched yet.
    outcomes_kept_count_max: int = 100_000
    # Fresh rows of the index, in times of what makes a settle due, above which the drain waits (back-pressure).
    settle_backlog_times_max: int = 4
    # Between two tries of a spill that the store refused.
    spill_retry_seconds: float = 2.0
    # How long an orderly end keeps asking a store that refuses (full, away). What is left waits in the intake.
    close_refused_seconds_max: float = 10.0
    # How long an orderly end waits for a thread that gets nothing done (a disk that hangs).
    close_stalled_seconds_max: float = 30.0
    # And more for what it works on, as who waits for what was stored: a disk that is slower is as good as none.
    disk_bytes_a_second_min: int = 20 * MIB
    # How long a query waits until what was acknowledged before it is folded; then it is refused, not wrong.
    find_wait_seconds_max: float = 30.0
    # How long figures wait for what was acknowledged; then they are those of a moment ago.
    status_wait_seconds_max: float = 2.0
    # How long a store of the library waits for its answer.
    store_wait_seconds_max: float = 60.0
    # Entries of one page of the change feed.
    changes_count_max: int = 10_000
    # Objects opened ahead of a reader: bandwidth x latency of a far bucket, and descriptors of a near one.
    fetch_window_bytes_max: int = 32 * MIB
    fetch_window_count_max: int = 64
    # Windows that all readers together open ahead at one time.
    fetch_threads_count_max: int = 8
    # Requests for storage commitment that wait for their images or for their peer, and the disk that they take.
    commitments_count_max: int = 10_000
    commitments_bytes_max: int = 256 * MIB
    # Instances looked up in one query of the index for them.
    commitment_lookup_count_max: int = 1000
    # Threads for blocking work of all requests together.
    blocking_threads_count_max: int = 32

    # Requests to a bucket in flight at one time: bandwidth x latency of a far one, in objects of 200 kB.
    bucket_requests_count_max: int = 32
    # An object above this goes to a bucket in parts of so many bytes: no cloud takes more than 5 GiB at once, and what
    # is sent again after a failure stays small. Objects of 256 GiB fit 10,000 parts. The first is also what is under
    # way to a bucket at one time.
    bucket_put_bytes_max: int = 64 * MIB
    bucket_part_bytes: int = 32 * MIB
    # One request: so long to connect, so long in all (what is under way gets through at 2 MB/s), so often again,
    # within so long.
    bucket_connect_seconds_max: float = 3.0
    bucket_request_seconds_max: float = 32.0
    bucket_retries_max: int = 2
    bucket_retry_seconds_max: float = 5.0
    # After so many failures in a row a bucket is left alone for a moment; calls are refused at once meanwhile.
    bucket_failures_max: int = 3
    bucket_rest_seconds: float = 2.0
    # Bytes of a bucket's objects held on the node's disk for who reads them again, and of one file that holds them.
    cache_bytes_max: int = 4 * GIB
    cache_file_bytes: int = 256 * MIB

    # Instances named by one note of the intake: below a megabyte, however long the UIDs are.
    note_targets_count_max: int = 4096

    # Workitems of a worklist, ended ones that are still kept included: all are in memory, and looked at by each search.
    workitems_count_max: int = 50_000
    # One of them, and all together: a workitem with hundreds of referenced images is some 100 kB.
    workitem_bytes_max: int = 512 * KIB
    workitems_bytes_max: int = 256 * MIB
    # Who follows all workitems, and what all follow of single ones.
    worklist_followers_count_max: int = 256
    worklist_subscriptions_count_max: int = 200_000

    # Rows of a shared table that mean nothing any more and are let lie, beside as many as there are; entries that are
    # cleaned in one go: a few milliseconds on a folder.
    table_slack_rows_max: int = 1024
    table_cleaned_entries_count: int = 64

    # Instances folded in memory in one pass when verify compares index and journal in full; more are done in passes.
    verify_instances_max: int = 250_000

    def __post_init__(self) -> None:
        relations = {
            "a gathered instance fits a segment": self.gather_bytes_max * 2 <= self.segment_bytes,
            "a gathered instance is smaller than the largest": self.gather_bytes_max <= self.object_bytes_max,
            "a batch can be read again": 2 * self.batch_bytes_max <= self.batch_unfolded_bytes_max,
            "pending files leave room": self.pending_files_max > 0 and self.descriptors_reserved > 0,
            "pieces are whole chunks": self.read_bytes % self.chunk_bytes == 0,
            "what rests behind senders fits the backlog": self.spill_rest_count_max < self.spill_backlog_count_max
            and self.drain_linger_count_max < self.ring_entries_max,
            "the largest object fits a bucket's 10,000 parts": self.object_bytes_max <= 10_000 * self.bucket_part_bytes,
            "counts are positive": min(self.batch_records_max, self.append_attempts_max, self.collisions_max) > 0,
        }
        for sentence, holds in relations.items():
            if not holds:
                raise ValueError(f"limits do not fit together: it must hold that {sentence}")


LIMITS = Limits()
