"""What an administrator chooses about the DICOM port. Every limit has its reason beside it."""

from typing import Literal

import msgspec

KIB = 1 << 10
MIB = 1 << 20

IMPLEMENTATION_VERSION_NAME = "FILMROOM_0"

CallingRule = Literal["auto", "any", "known", "title"]


class DimseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One DICOM port. Raises ``ValueError`` with a sentence that names the setting.

    ``calling``: whom we serve: ``any`` AE title, only ``known`` peers (by certificate or address), those that say the
    ``title`` of one wherever they are, or ``auto``: any from this machine (loopback), known ones from elsewhere.
    """

    host: str = "127.0.0.1"
    port: int = 11112
    ae_title: str = "FILMROOM"
    # What `filmroom` commands that a log line or a refusal names must say to mean this store.
    store_flag: str = ""
    # Off by default: a first echoscu without -aec should work; with it on, H14.
    check_called_ae_title: bool = False
    calling: CallingRule = "auto"
    # What we show to peers that we call over TLS; paths of PEM files.
    tls_certificate: str = ""
    tls_key: str = ""
    # Vendors ship private storage classes; an archive that refuses them loses images.
    accept_unknown_sop_classes: bool = True

    # What we ask peers to send at most in one PDU: two of these fill a receive buffer; larger ones gained nothing.
    pdu_bytes_max: int = 128 * KIB
    # What we send at most when the peer says 0 (no limit).
    pdu_bytes_sent_max: int = 128 * KIB
    # A command set is a few hundred bytes; a list of attribute identifiers may make it longer.
    command_bytes_max: int = 64 * KIB
    # An identifier of 10,000 UIDs is 640 kB.
    identifier_bytes_max: int = MIB

    # All at once: each costs two descriptors and a few kB; 500 idle ones cost 0.05 % of a core.
    associations_max: int = 500
    # So that one peer that forgets to close leaves room for the others.
    associations_per_peer_max: int = 200
    # Sockets without an association (not yet, or no more); the oldest is closed when one more comes.
    half_open_max: int = 256
    # Threads that receive for busy associations: more than this only adds switches on the machines we measured.
    receive_threads_max: int = 16
    # Threads that send for retrievals: most of them wait for a peer.
    send_threads_max: int = 32
    # Of these to one AE title: one that is slow leaves room for the others (H18).
    send_threads_per_peer_max: int = 8

    # PS3.8 9.1.5 ARTIM: how long a peer may take to ask for its association or to close after one ended.
    artim_seconds: float = 10.0
    # An association that says nothing for so long is aborted: modalities keep them open between images for minutes.
    idle_seconds_max: float = 300.0
    # A peer that takes nothing from its socket for so long is gone.
    send_seconds_max: float = 30.0
    # A lease of a thread ends after so much silence, ...
    lease_idle_ms: int = 5
    # ... after so long when another association waits for a thread, ...
    lease_shared_ms: int = 20
    # ... and after so many bytes in any case.
    lease_bytes_max: int = 64 * MIB
    # After the shutdown event: how long associations may finish what they do before they are aborted.
    shutdown_seconds: float = 10.0
    # ... and how long one that does nothing may stay (its peer may just be about to release).
    shutdown_idle_seconds: float = 0.5

    # As requestor.
    connect_seconds: float = 10.0
    # The peer's answer to our request or release: busy archives take long to answer.
    answer_seconds: float = 30.0
    # C-STORE requests open at once, when the peer grants an asynchronous window: enough to hide a round trip.
    store_window_max: int = 16
    # The answer to one C-STORE: a peer may write to tape before it answers.
    store_seconds: float = 60.0

    # Rows asked of the index at once: bounds memory and the time until C-CANCEL is seen.
    find_page_count: int = 500
    # Pending responses gathered into one send.
    find_send_bytes: int = 64 * KIB
    # PS3.4 C.4.2: how often a retrieval says how far it is, at least.
    pending_seconds: float = 5.0
    # How long a sending thread goes on by itself: then C-CANCEL is seen.
    move_turn_seconds: float = 0.5

    # Between the answer to a request for commitment and its report: a peer that releases at once is gone by then, and
    # does not meet the report on its way out.
    commitment_pause_seconds: float = 0.2
    # How long a request for commitment waits for images that are not there: a modality sends a study within the hour.
    commitment_wait_seconds: float = 3600.0
    # How often it looks for them: at first, and with doubled pauses up to ...
    commitment_poll_seconds: float = 1.0
    commitment_poll_seconds_max: float = 30.0
    # A report that the peer did not take is tried again, with doubled pauses, ...
    commitment_retry_seconds: float = 5.0
    commitment_retry_seconds_max: float = 300.0
    # ... until its request is so old: a modality that was off over the weekend is told on Monday.
    commitment_deadline_seconds: float = 4 * 86_400.0
    # Requests that are judged or reported at once: each may read gigabytes.
    commitment_tasks_max: int = 4

    def __post_init__(self) -> None:
        if not 1 <= len(self.ae_title.strip()) <= 16 or not self.ae_title.isascii() or not self.ae_title.isprintable():
            raise ValueError("ae_title must be 1 to 16 printable ASCII characters")
        if not 0 <= self.port <= 65_535:
            raise ValueError("port must be between 0 and 65535")
        relations = {
            "pdu_bytes_max is at least 4096": self.pdu_bytes_max >= 4 * KIB,
            "pdu_bytes_sent_max is at least 4096": self.pdu_bytes_sent_max >= 4 * KIB,
            "associations_per_peer_max is at most associations_max": (
                0 < self.associations_per_peer_max <= self.associations_max
            ),
            "a lease ends sooner when it is shared": 0 < self.lease_idle_ms <= self.lease_shared_ms,
            "send_threads_per_peer_max is at most half of send_threads_max": (
                0 < 2 * self.send_threads_per_peer_max <= self.send_threads_max
            ),
            "there is a thread": min(self.receive_threads_max, self.send_threads_max) > 0,
        }
        for sentence, holds in relations.items():
            if not holds:
                raise ValueError(f"DICOM settings do not fit together: it must hold that {sentence}")
