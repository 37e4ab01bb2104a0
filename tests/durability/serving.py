"""The trial's side of a running server: starts it, sends to it as DCMTK and as lean associations do, kills it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.lean import Association, Target
from native.wire import Sender
from tests.durability import recorder
from tests.durability.files import SECONDARY_CAPTURE, SYNTAXES, Send

STORESCU: Final = Path("/usr/bin/storescu")
READY_SECONDS: Final = 60
PACE_COUNT: Final = 2  # instances a lean sender hands over at a time


class Server:
    """One ``filmroom serve`` in a process of its own."""

    def __init__(
        self,
        store: Path,
        *,
        disk: Path | None = None,
        log: Path | None = None,
        fault: recorder.Fault = recorder.NO_FAULT,
    ) -> None:
        """With ``log`` all that it does below ``disk`` is written there. Raises ``AssertionError`` if never ready."""
        words = [str(store)]
        environment = dict(os.environ)
        if log is not None:
            words += [str(disk or store), str(log), msgspec.json.encode(fault).decode()]
            environment["LD_PRELOAD"] = str(recorder.shared_object())
        command = [sys.executable, "-m", "tests.durability.served", *words]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.errors = b""
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        self.dicom, self.http = self._ready()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        self.process.kill()
        self.process.wait(READY_SECONDS)
        self._reader.join(READY_SECONDS)

    def stop(self, seconds_max: float) -> int:
        """SIGTERM; its exit code. Raises ``TimeoutExpired``."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds_max)

    def _ready(self) -> tuple[int, int]:
        assert self.process.stdout is not None
        bell = threading.Timer(READY_SECONDS, self.process.kill)
        bell.start()
        try:
            for line in self.process.stdout:
                if found := re.fullmatch(rb"ready dicom=\S+:(\d+) http=\S+:(\d+)\s*", line):
                    return int(found[1]), int(found[2])
        finally:
            bell.cancel()
        self.kill()
        raise AssertionError(f"the server is not ready: {self.errors.decode(errors='replace')}")

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr:
            for line in self.process.stderr:
                self.errors += line


def send_lean(port: int, sends: Sequence[tuple[int, Send]], answered: Callable[[int, int], None]) -> None:
    """Over one association, until all are sent or it is gone; ``answered`` hears each index and its status."""
    try:
        association = Association(Target(port, "FILMROOM"), SECONDARY_CAPTURE, SYNTAXES["explicit"])
    except (OSError, RuntimeError):
        return
    try:
        association.socket.setblocking(False)
        sender = Sender(pdu_bytes_max=association.peer_pdu_bytes_max)
        for first in range(0, len(sends), PACE_COUNT):
            part = sends[first : first + PACE_COUNT]
            statuses = sender.store(association.socket.fileno(), -1, [_job(*one) for one in part], timeout_ms=60_000)
            for (index, _), status in zip(part, statuses, strict=False):
                answered(index, status)
            if len(statuses) < len(part):
                return
    finally:
        association.close()


def _job(index: int, send: Send) -> tuple[int, int, str, str, bytes, int, int]:
    dataset = send.dataset()
    return 1, index % 65535 + 1, SECONDARY_CAPTURE, send.sop_instance_uid, dataset, 0, len(dataset)


def send_dcmtk(
    port: int, sends: Sequence[tuple[int, Send]], folder: Path, answered: Callable[[int, int], None]
) -> None:
    """One ``storescu``; what it was told is read off its output when it has ended."""
    folder.mkdir()
    paths = {}
    for index, send in sends:
        paths[str(folder / f"{index:04}.dcm")] = index
        (folder / f"{index:04}.dcm").write_bytes(send.file())
    command = [STORESCU, "-v", "-aec", "FILMROOM", "127.0.0.1", str(port), *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=READY_SECONDS, check=False)
    sending = -1
    for line in (done.stdout + done.stderr).splitlines():
        if found := re.search(r"Sending file: (.+)$", line):
            sending = paths[found[1]]
        elif found := re.search(r"Received Store Response \((.+)\)$", line):
            answered(sending, 0 if found[1] == "Success" else 1)
