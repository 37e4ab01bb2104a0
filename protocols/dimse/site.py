"""What every association of one DICOM port shares."""

from engine.ports import Peers
from protocols.dimse.callers import Callers
from protocols.dimse.hosts import Hosts
from protocols.dimse.leases import Leases
from protocols.dimse.outbound import Outbound
from protocols.dimse.reporting import Reporter
from protocols.dimse.settings import DimseSettings
from protocols.dimse.traffic import Traffic


class Site:
    """Archive, settings, peers and threads of one port; and how many associations each address has."""

    def __init__(
        self,
        outbound: Outbound,
        settings: DimseSettings,
        peers: Peers,
        callers: Callers | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self.outbound = outbound
        self.archive = outbound.archive
        self.settings = settings
        self.peers = peers
        self.callers = Callers() if callers is None else callers
        self.traffic = Traffic() if traffic is None else traffic
        self.interrupts = outbound.interrupts
        self.reporter = Reporter(self.archive.commitments, settings, peers, self.interrupts)
        self.leases = Leases(settings)
        self.hosts = Hosts()
        self._count_of: dict[str, int] = {}
        self._count = 0
        self._numbers = 0

    def next_number(self) -> int:
        """A number for one connection, for the log."""
        self._numbers += 1
        return self._numbers

    def admit(self, address: str) -> bool:
        """Take a place for an association; False when there is none (H8)."""
        of_peer = self._count_of.get(address, 0)
        if self._count >= self.settings.associations_max or of_peer >= self.settings.associations_per_peer_max:
            return False
        self._count += 1
        self.traffic.open_count += 1
        self.traffic.accepted_count += 1
        self._count_of[address] = of_peer + 1
        return True

    def leave(self, address: str) -> None:
        self._count -= 1
        self.traffic.open_count -= 1
        self._count_of[address] -= 1
        if not self._count_of[address]:
            del self._count_of[address]
