"""Plugs the rooms together: an archive, its peers, and what the settings say of both."""

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

import engine
from engine import StoreSettings
from engine.ports import Peer
from filmroom.peers import PeerBook
from filmroom.settings import PeerSettings, Settings
from filmroom.tokens import TokenBook
from protocols.dimse import Callers, DimseSettings, Outbound, Traffic
from protocols.security import Certificate, Certificates
from protocols.transcode import Transcoder


class Node:
    """An open archive with its peers: what operations work on."""

    def __init__(
        self,
        archive: engine.Archive,
        peers: PeerBook,
        tokens: TokenBook,
        settings: Settings,
        transcoder: Transcoder,
    ) -> None:
        self.archive = archive
        self.peers = peers
        self.tokens = tokens
        self.settings = settings
        self.transcoder = transcoder
        self.outbound = Outbound(archive, dimse_settings(settings), transcoder)
        self.shutdown = trio.Event()
        self.callers = Callers()
        self.traffic = Traffic()
        self.dicom = ""  # HOST:PORT while it is served
        self.dicom_tls = ""
        self.http = ""
        self.served_since = 0.0  # on trio's clock


def known_as(peer: PeerSettings) -> Peer:
    """A peer of the settings as the protocols see it."""
    return Peer(peer.ae_title.strip(), peer.host, peer.port, peer.character_set, peer.tls, peer.tls_ca, peer.tls_name)


def certificates(settings: Settings) -> Certificates | None:
    """What both ports show; None: no TLS. Raises Invalid when it cannot be used."""
    tls = settings.tls
    if not tls.certificate:
        if tls.key or tls.client_ca or tls.require_client_certificate:
            raise engine.Invalid(
                "[tls] has no certificate: without it there is no TLS (--tls-cert FILE --tls-key FILE)"
            )
        return None
    return Certificates(Certificate(tls.certificate, tls.key, tls.client_ca, tls.require_client_certificate))


def dimse_settings(settings: Settings) -> DimseSettings:
    """The DICOM port's settings."""
    serve = settings.serve
    return DimseSettings(
        host=serve.host,
        port=serve.dimse_port,
        ae_title=serve.ae_title.strip(),
        check_called_ae_title=serve.check_called_ae_title,
        calling=serve.calling,
        commitment_wait_seconds=serve.commitment_wait_seconds,
        commitment_deadline_seconds=serve.commitment_deadline_seconds,
        store_flag=store_flag(settings.store.url),
        tls_certificate=settings.tls.certificate,
        tls_key=settings.tls.key,
    )


def store_flag(url: str) -> str:
    """What a command must say to mean this store: nothing for the default one."""
    return "" if url == StoreSettings().url else f" --store {shlex.quote(url)}"


def held_hint(url: str) -> str:
    """What to do about a store that another process serves."""
    return f"`filmroom status{store_flag(url)}` shows it; another folder is another archive"


@asynccontextmanager
async def open_node(settings: Settings) -> AsyncIterator[Node]:
    """Open the archive (alone on its folder) and the peers. Raises Conflict when another process holds it."""
    async with engine.open(settings.store.url, settings.store) as archive, Transcoder() as transcoder:
        folder = engine.node_folder(settings.store)
        configured = [known_as(peer) for peer in settings.peer]
        peers = PeerBook(configured, folder / "peers.json" if folder else None)
        tokens = TokenBook(folder / "tokens.json" if folder else None)
        yield Node(archive, peers, tokens, settings, transcoder)
