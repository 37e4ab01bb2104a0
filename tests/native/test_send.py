"""Sealed objects: what is not what was written is not sent (none corrupt is served)."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

import pytest
import xxhash

from bench.data import EXPLICIT_LITTLE
from native import dataset, wire
from tests.native.test_wire import CT, Intake, generated

SMALL, LARGE = 64, 1200  # rows: one send, several sends


class Sealed:
    """Three canonical files, the second of them damaged."""

    def __init__(self, rows: int, damage: str) -> None:
        self.files: list[tuple[str, bytearray, int]] = []
        self.seals: list[tuple[bytes, int]] = []
        for uid, data in generated(3, stub=False, rows=rows):
            head = dataset.canonical_head(CT, uid, EXPLICIT_LITTLE)
            self.files.append((uid, bytearray(head + data), len(head)))
            self.seals.append((xxhash.xxh3_128_digest(head + data), len(head)))
        _, second, offset = self.files[1]
        places = {"head": 130, "first": offset, "middle": len(second) // 2, "last": len(second) - 1}
        if damage in places:
            second[places[damage]] ^= 0x10
        self.lost = 2 if damage == "short" else 0

    def jobs(self, folder: Path | None, stack: ExitStack) -> list[tuple[int, int, str, str, int | bytes, int, int]]:
        """From files in ``folder``, or from memory."""
        made = []
        for at, (uid, file, offset) in enumerate(self.files):
            source: int | bytes = bytes(file)
            if folder is not None:
                (folder / str(at)).write_bytes(file[: len(file) - (self.lost if at == 1 else 0)])
                source = os.open(folder / str(at), os.O_RDONLY)
                stack.callback(os.close, source)
            made.append((1, at + 1, CT, uid, source, offset, len(file) - offset))
        return made


@contextmanager
def receiving(intake: Intake) -> Iterator[socket.socket]:
    """The sender's end of an association whose other end stores."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
    client.setblocking(False)
    server.setblocking(False)
    receiver = intake.receiver()
    thread = threading.Thread(target=receiver.run, args=(server.fileno(), -1, 5000, 1 << 30))
    thread.start()
    yield client
    client.close()
    thread.join(10)
    server.close()


@pytest.mark.parametrize("rows", [SMALL, LARGE])
@pytest.mark.parametrize(
    ("damage", "from_file"),
    [*product(("none", "head", "first", "middle", "last"), (True, False)), ("short", True)],  # memory is never short
)
def test_what_is_not_what_was_written_is_not_sent(tmp_path: Path, from_file: bool, rows: int, damage: str) -> None:
    folder = tmp_path / "objects"
    folder.mkdir()
    intake = Intake(tmp_path, gather_bytes_max=8 << 20)
    sealed = Sealed(rows, damage)
    sender = wire.Sender(pdu_bytes_max=16384)
    with ExitStack() as stack:
        jobs = sealed.jobs(folder if from_file else None, stack)
        client = stack.enter_context(receiving(intake))
        statuses = sender.store(client.fileno(), -1, jobs, seals=sealed.seals, timeout_ms=5000)
    sound = [bytes(file[offset:]) for _, file, offset in sealed.files]
    if damage == "none":
        assert (statuses, sender.reason) == ([0, 0, 0], "")
    elif rows == SMALL:  # nothing of it was sent, and the association goes on
        assert (statuses, sender.reason) == ([0, wire.UNSOUND_OBJECT, 0], "")
        del sound[1]
    else:  # its end was never sent: the association cannot go on
        assert (statuses, sender.reason) == ([0, wire.UNSOUND_OBJECT], "an object is not what was written")
        del sound[1:]
    kept = intake.kept()
    assert len(kept) == len(sound)
    assert all(file.endswith(data) for file, data in zip(kept, sound, strict=True))
    intake.close()


def test_without_seals_nothing_is_checked(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    sealed = Sealed(SMALL, "last")
    with ExitStack() as stack, receiving(intake) as client:
        jobs = sealed.jobs(None, stack)
        assert wire.Sender(pdu_bytes_max=0).store(client.fileno(), -1, jobs, timeout_ms=5000) == [0, 0, 0]
    intake.close()


@pytest.mark.parametrize("seal", [(b"short", 10), (bytes(16), 0), (bytes(16), 1 << 20)])
def test_seals_that_cannot_be_are_refused(seal: tuple[bytes, int]) -> None:
    job = (1, 1, CT, "1.2.3", bytes(2000), 1500, 500)
    with pytest.raises(ValueError, match="seal"):
        wire.Sender(pdu_bytes_max=0).store(-1, -1, [job], seals=[seal], timeout_ms=10)
