"""pynetdicom as a C-MOVE destination that keeps each data set as it was on the wire."""

import threading
from typing import Any

import msgspec

from protocols.dimse.classes import KNOWN_STORAGE


class Arrived(msgspec.Struct, frozen=True):
    """One C-STORE that came in."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data: bytes
    originator: str


class Capture:
    """A Storage SCP for every class and syntax, unless ``contexts`` names the few that it takes."""

    def __init__(
        self,
        *,
        contexts: list[tuple[str, list[str]]] | None = None,
        status: int = 0x0000,
        pdu_bytes_max: int = 16382,
        ae_title: str = "CAPTURE",
    ) -> None:
        self._contexts, self._status, self._pdu_bytes_max, self._ae_title = contexts, status, pdu_bytes_max, ae_title
        self._arrived: list[Arrived] = []
        self._lock = threading.Lock()
        self.associations = 0
        self.port = 0

    def __enter__(self) -> "Capture":
        from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, evt
        from pynetdicom.sop_class import _STORAGE_CLASSES

        _config.UNRESTRICTED_STORAGE_SERVICE = self._contexts is None
        entity = AE(ae_title=self._ae_title)
        entity.maximum_pdu_size = self._pdu_bytes_max
        entity.add_supported_context("1.2.840.10008.1.1")
        # pynetdicom does not count palettes, protocols and implants to what it takes unrestricted
        elsewhere = KNOWN_STORAGE - set(_STORAGE_CLASSES.values())
        everything = [(sop_class, ALL_TRANSFER_SYNTAXES) for sop_class in sorted(elsewhere)]
        for sop_class, syntaxes in everything if self._contexts is None else self._contexts:
            entity.add_supported_context(sop_class, syntaxes)
        handlers = [(evt.EVT_C_STORE, self._keep), (evt.EVT_ACCEPTED, self._count)]
        self._server: Any = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.shutdown()

    def take(self) -> list[Arrived]:
        """What arrived since the last call, in order."""
        with self._lock:
            taken, self._arrived = self._arrived, []
        return taken

    def _count(self, event: Any) -> None:
        self.associations += 1

    def _keep(self, event: Any) -> int:
        request = event.request
        arrived = Arrived(
            str(request.AffectedSOPClassUID),
            str(request.AffectedSOPInstanceUID),
            str(event.context.transfer_syntax),
            request.DataSet.getvalue(),
            str(request.MoveOriginatorApplicationEntityTitle or "").strip(),
        )
        with self._lock:
            self._arrived.append(arrived)
        return self._status
