"""What every association of one DICOM port shares."""

from weakref import WeakValueDictionary

import trio

from engine.ports import Peers
from protocols.dimse.callers import Callers
from protocols.dimse.leases import Interrupts, Leases
from protocols.dimse.ports import Archive
from protocols.dimse.reporting import Reporter
from protocols.dimse.settings import DimseSettings
from protocols.transcode import Transcoder


class Site:
    """Archive, settings, peers, transcoder and threads of one port; and how many associations each address has."""

    def __init__(
        self,
        archive: Archive,
        settings: DimseSettings,
        peers: Peers,
        transcoder: Transcoder,
        callers: Callers | None = None,
    ) -> None:
        self.archive = archive
        self.settings = settings
        self.peers = peers
        self.transcoder = transcoder
        self.callers = Callers() if callers is None else callers
        self.interrupts = Interrupts()
        self.reporter = Reporter(archive.commitments, settings, peers, self.interrupts)
        self.leases = Leases(settings)
        self.sending = trio.CapacityLimiter(settings.send_threads_max)
        self._turns: WeakValueDictionary[str, trio.CapacityLimiter] = WeakValueDictionary()
        self._count_of: dict[str, int] = {}
        self._count = 0
        self._numbers = 0

    def next_number(self) -> int:
        """A number for one connection, for the log."""
        self._numbers += 1
        return self._numbers

    def turns_of(self, ae_title: str) -> trio.CapacityLimiter:
        """Shared by all retrievals to this AE title while there are any: a part of the sending threads."""
        turns = self._turns.get(ae_title)
        if turns is None:
            turns = self._turns[ae_title] = trio.CapacityLimiter(self.settings.send_threads_per_peer_max)
        return turns

    def admit(self, address: str) -> bool:
        """Take a place for an association; False when there is none (H8)."""
        of_peer = self._count_of.get(address, 0)
        if self._count >= self.settings.associations_max or of_peer >= self.settings.associations_per_peer_max:
            return False
        self._count += 1
        self._count_of[address] = of_peer + 1
        return True

    def leave(self, address: str) -> None:
        self._count -= 1
        self._count_of[address] -= 1
        if not self._count_of[address]:
            del self._count_of[address]
