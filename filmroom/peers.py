"""The peers that a node knows: those of the configuration, and added ones, which ``node/peers.json`` keeps."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine import Corrupt, Invalid, Missing
from engine.ports import Peer
from filmroom.small_files import replace_durably


class PeerBook:
    """Implements ``engine.ports.Peers``. Peers of the configuration win over added ones of the same AE title."""

    def __init__(self, configured: Sequence[Peer], file: Path | None) -> None:
        """``file`` None keeps added peers in memory only. Raises Corrupt when the file cannot be read."""
        self._file = file
        self._configured = {peer.ae_title.strip(): peer for peer in configured}
        self._added: dict[str, Peer] = {}
        if file is not None and file.exists():
            try:
                peers = msgspec.json.decode(file.read_bytes(), type=list[Peer])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise Corrupt(f"{file} is damaged ({error}): mend it or move it away") from error
            self._added = {peer.ae_title: peer for peer in peers}

    def lookup(self, ae_title: str) -> Peer | None:
        """The peer of this AE title (leading and trailing spaces do not count), or None."""
        title = ae_title.strip()
        return self._configured.get(title) or self._added.get(title)

    def all(self) -> Sequence[Peer]:
        """Every known peer, by AE title."""
        return [peer for _, peer in sorted({**self._added, **self._configured}.items())]

    def is_configured(self, ae_title: str) -> bool:
        """Whether the configuration (not ``aet add``) names it."""
        return ae_title.strip() in self._configured

    def add(self, peer: Peer) -> None:
        """Make known, or change; durable when this returns. Raises Invalid for one that the configuration names."""
        title = self._changeable(peer.ae_title)
        self._keep({**self._added, title: msgspec.structs.replace(peer, ae_title=title)})

    def remove(self, ae_title: str) -> None:
        """Forget. Raises Missing when unknown, Invalid for one that the configuration names."""
        title = self._changeable(ae_title)
        if title not in self._added:
            raise Missing(f"no peer is called {title!r}: `filmroom aet ls` lists them")
        self._keep({name: peer for name, peer in self._added.items() if name != title})

    def _changeable(self, ae_title: str) -> str:
        title = ae_title.strip()
        if title in self._configured:
            raise Invalid(f"{title!r} is named by the configuration ([[peer]] or --peer): change it there")
        return title

    def _keep(self, added: dict[str, Peer]) -> None:
        if self._file is not None:
            replace_durably(self._file, msgspec.json.format(msgspec.json.encode(list(added.values()))))
        self._added = added
