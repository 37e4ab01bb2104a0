"""What all sending of one process shares: the archive it reads, threads, turns, and the transcoder."""

from weakref import WeakValueDictionary

import trio

from protocols.dimse.leases import Interrupts
from protocols.dimse.ports import Archive
from protocols.dimse.settings import DimseSettings
from protocols.transcode import Transcoder


class Outbound:
    """One in a process, so that its limits hold for retrievals and commands together."""

    def __init__(self, archive: Archive, settings: DimseSettings, transcoder: Transcoder) -> None:
        self.archive = archive
        self.settings = settings
        self.transcoder = transcoder
        self.interrupts = Interrupts()
        self.threads = trio.CapacityLimiter(settings.send_threads_max)
        self._turns: WeakValueDictionary[str, trio.CapacityLimiter] = WeakValueDictionary()

    def turns_of(self, ae_title: str) -> trio.CapacityLimiter:
        """Shared by all sendings to this AE title while there are any: a part of the sending threads."""
        turns = self._turns.get(ae_title)
        if turns is None:
            turns = self._turns[ae_title] = trio.CapacityLimiter(self.settings.send_threads_per_peer_max)
        return turns
