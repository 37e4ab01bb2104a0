"""A served small archive, and DCMTK's commands against it."""

import os
import subprocess
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from engine.ports import Peer
from protocols.dimse.listener import serve
from protocols.dimse.settings import DimseSettings
from tests.protocols.small_archive import SmallArchive, SmallPeers

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
STUDY = "1.2.826.0.1.3680043.10.1407.1"
Check = Callable[["Served"], Awaitable[None]]


class Served:
    """What a test sees of a served archive."""

    def __init__(self, archive: Any, peers: SmallPeers, port: int, shutdown: trio.Event) -> None:
        self.archive = archive
        self.peers = peers
        self.port = port
        self.shutdown = shutdown

    async def run(self, command: str, *arguments: str, seconds: float = 60) -> tuple[int, str]:
        """One of DCMTK's commands; its exit code and everything it said."""
        environment = {**os.environ, "TCP_NODELAY": "1"}
        with trio.fail_after(seconds):
            done = await trio.run_process(
                [f"/usr/bin/{command}", *arguments],
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                check=False,
                env=environment,
            )
        return done.returncode, done.stdout.decode("latin-1")

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)


async def serving_in(check: Check, archive: Any, *known: Peer, **settings: Any) -> None:
    """Serve ``archive``, run ``check`` against it, end in order."""
    peers = SmallPeers(*known)
    shutdown = trio.Event()
    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            start = partial(serve, archive, DimseSettings(port=0, **settings), peers, shutdown=shutdown)
            _, port = await nursery.start(start)
            try:
                await check(Served(archive, peers, port, shutdown))
            finally:
                shutdown.set()


def serving(check: Check, archive: Any = None, *known: Peer, **settings: Any) -> None:
    """The same in a loop of its own, with a small archive when none is given."""
    held = archive if archive is not None else SmallArchive()
    trio.run(partial(serving_in, check, held, *known, **settings))


def header(**keywords: Any) -> bytes:
    """A stored header made by pydicom."""
    from io import BytesIO

    from pydicom.dataset import Dataset
    from pydicom.filebase import DicomIO
    from pydicom.filewriter import write_dataset

    written = Dataset()
    written.SpecificCharacterSet = keywords.pop("SpecificCharacterSet", "ISO_IR 100")
    for keyword, value in keywords.items():
        setattr(written, keyword, value)
    buffer = DicomIO(BytesIO())
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, written)
    return bytes(buffer.parent.getvalue())


def paper_archive(count: int = 104, *, name: str = "Müller^Hans") -> SmallArchive:
    """One study, one series of ``count`` CT."""
    archive = SmallArchive()
    for number in range(count):
        made = header(
            PatientName=name,
            PatientID="P1",
            StudyInstanceUID=STUDY,
            SeriesInstanceUID=STUDY + ".1",
            SOPInstanceUID=f"{STUDY}.1.{number + 1}",
            SOPClassUID=CT,
            Modality="CT",
            StudyDate="20240102",
            InstanceNumber=number + 1,
            StudyDescription="Thorax",
        )
        archive.add(made, made, CT, EXPLICIT)
    return archive
