"""What bounds the web's door, and what an administrator chooses of it. Every limit has its reason beside it."""

from typing import Final

import msgspec

KIB: Final = 1 << 10
MIB: Final = 1 << 20


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of one process. ``public_url``, ``trusted_proxies``, ``cors_origins`` are settings of ``[serve]``."""

    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    viewer_folder: str = ""  # where the viewer is laid down; empty: there is none

    # Request line and headers together, and the URL alone: a list of a thousand UIDs still fits, 64 kB do not (H54).
    head_bytes_max: int = 256 * KIB
    headers_count_max: int = 100
    # Of heads longer than 16 KiB, all together: 128 of the longest at once. 2,048 connections could hold a gigabyte.
    long_heads_bytes_max: int = 32 * MIB
    target_bytes_max: int = 60 * KIB
    query_parameters_count_max: int = 1024
    # The whole of a request's headers must have come by then, and the next request on a connection begun (H63).
    head_seconds_max: float = 10.0
    # Between two pieces of a body (H49); between two pieces that a client takes of an answer.
    body_idle_seconds_max: float = 30.0
    send_idle_seconds_max: float = 60.0
    # What a client must give of a body, or take of an answer, on average: below it holds a place among the requests for
    # next to nothing. A line of 64 kbit/s still serves seven at once. (Apache asks for 500, Kestrel for 240.)
    client_bytes_a_second_min: int = KIB
    # Connections at once: more than a browser for every desk of a hospital keeps open; each takes a descriptor.
    connections_count_max: int = 2048
    # Requests in hand at once: a viewer keeps 125 open; above, the client is told to come again.
    requests_count_max: int = 512
    # What is still sent or received when the node ends may go on for so long.
    shutdown_seconds: float = 5.0

    # Rows of one answer to a search; who wants more asks for the next page, and is told so (C32).
    rows_count_max: int = 10_000
    # Places at which clients may go on with an answer by its offset: a hundred bytes each.
    continuations_count_max: int = 1024
    # Answers from here on are packed for clients that take gzip: below, packing costs more than it saves.
    gzip_bytes_min: int = 16 * KIB

    # WebSockets at once, a quarter of all requests in hand; reports that wait for all of them (some 300 bytes each: one
    # of every workitem of a full worklist fits); what a client may say in one message, though nobody reads it; between
    # two questions whether it is there.
    notifications_count_max: int = 128
    notifications_bytes_max: int = 64 * MIB
    websocket_message_bytes_max: int = 64 * KIB
    websocket_ping_seconds: float = 20.0

    # Threads that read objects ahead of slow and quick clients: more than disks and cores take at once gain nothing.
    reader_threads_count_max: int = 8
    # Images that were drawn, for who asks for them again: some thousand thumbnails.
    images_bytes_max: int = 16 * MIB
    # Objects held open for who asks for one frame after the other; what they take of memory (in a store without files,
    # and inflated) all together. A viewer shows a few series; a file costs a descriptor and its table of frames.
    open_objects_count_max: int = 256
    open_objects_bytes_max: int = 64 * MIB
