"""One trial of each kind, by seed. The tests run a few of them, ``campaign.py`` many."""

import errno
import random
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.durability.disk import Disk, Survival, inodes_of, positions, same_folders
from tests.durability.facts import examine
from tests.durability.files import Send, plan
from tests.durability.host import Order
from tests.durability.node import Died, Node, Refused, booted
from tests.durability.recorder import Call, Change, Fault, Line, When, read
from tests.durability.serving import Server, send_dcmtk, send_lean

SENDS: Final = 24
ROUNDS: Final = 3
SENDERS: Final = 4
SENDER_SECONDS_MAX: Final = 60

# Calls that write bytes can stop half-way, and can be told that the disk is full.
WRITING: Final = (Call.write, Call.pwrite, Call.writev, Call.pwritev, Call.copy_file_range, Call.sendfile)
FILLING: Final = (*WRITING, Call.fallocate, Call.ftruncate, Call.mkdir, Call.open, Call.rename, Call.link)


def kill(root: Path, seed: int) -> list[str]:
    """kill -9 after a seeded count of acknowledgements; again during the recoveries that follow; then the facts."""
    chance = random.Random(f"kill {seed}")
    sends = plan(seed, SENDS * ROUNDS)
    promised: set[int] = set()
    for number in range(ROUNDS):
        part = range(number * SENDS, (number + 1) * SENDS)
        checkpoint = chance.choice(("auto", "files"))
        fault = Fault()
        if number and chance.random() < 0.7:
            call = chance.choice((Call.open, Call.pwrite, Call.rename, Call.fsync, Call.writev, Call.unlink))
            fault = Fault(call=call, when=When.kill_after, first=(first := chance.randrange(1, 40)), last=first)
        log = root.with_name(f"{root.name}-log-{number}")
        order = Order(root=str(root), log=str(log), fault=fault, checkpoint=checkpoint)
        with Node(order) as node:
            try:
                node.opened()
                node.load([sends[index] for index in part], kill_after=chance.randrange(1, SENDS))
            except (Died, Refused):
                pass
            node.kill()
            promised |= {part[index] for index in node.acknowledged}
    return examine(root, sends, promised)


def ingest(
    root: Path, log: Path, sends: list[Send], fault: Fault, *, opening: bool = False, close: bool = True
) -> set[int]:
    """One ingest from open to close that meets a fault (in its opening or after it): what it acknowledged."""
    order = Order(root=str(root), log=str(log), fault=fault if opening else Fault())
    with Node(order) as node:
        try:
            node.opened()
            if not opening:
                node.ask("aim", fault)
            node.load(sends)
            if close:
                node.close()
        except (Died, Refused):
            pass
        return set(node.acknowledged)


def calls_of_one_ingest(folder: Path, sends: list[Send]) -> tuple[Counter[Call], Counter[Call]]:
    """How often each call is made on store paths: until the archive is open, and from then to its close."""
    ingest(folder / "store", folder / "log", sends, Fault())
    counted: tuple[Counter[Call], Counter[Call]] = (Counter(), Counter())
    phase = 0
    for line in read((folder / "log").read_bytes()):
        if line.change is Change.marked:
            phase = 1
        elif line.change is not Change.sync_end:
            counted[phase][line.call] += 1
    return counted


def faults(counts: Counter[Call]) -> Iterator[Fault]:
    """Each call at its first, second and last place: killed before, after and half-way; failing once and for good."""
    for call, count in sorted(counts.items()):
        for place in sorted({1, min(2, count), count}):
            for when in (
                When.kill_before,
                When.kill_after,
                *((When.kill_halfway, When.short) if call in WRITING else ()),
            ):
                yield Fault(call=call, when=when, first=place, last=place)
            yield Fault(call=call, when=When.fail, error=errno.EIO, first=place, last=place)
            if call in FILLING:
                yield Fault(call=call, when=When.fail, error=errno.ENOSPC, first=place, last=place)
        yield Fault(call=call, when=When.fail, error=errno.EIO, first=1, last=1 << 30)
        if call in FILLING:
            yield Fault(call=call, when=When.fail, error=errno.ENOSPC, first=2, last=1 << 30)


def meet(folder: Path, sends: list[Send], fault: Fault, *, opening: bool = False, thorough: bool = False) -> list[str]:
    """An ingest with this fault; then the facts as after a kill, and as after a power loss at the same moment."""
    root, log, empty = folder / "store", folder / "log", folder / "empty"
    root.mkdir(parents=True)
    empty.mkdir()
    promised = ingest(root, log, sends, fault, opening=opening, close=fault.first == fault.last)
    dark = folder / "dark"
    problems = _lost_power(root, empty, log, None, Survival.nothing, 0, dark)
    problems += examine(root, sends, promised, thorough=thorough)
    problems += [f"without power: {problem}" for problem in examine(dark, sends, promised, thorough=False)]
    return [f"{fault}: {problem}" for problem in problems]


@dataclass(frozen=True)
class Recording:
    """A run that power may be cut from at any of its lines, and what it sent."""

    root: Path
    base: Path
    log: Path
    sends: list[Send]
    lines: list[Line]
    data: memoryview
    earlier: frozenset[int]  # promised before the recording began
    inodes: dict[str, int]


def record(folder: Path, seed: int, count: int = SENDS * 2, keeper: str = "whole") -> Recording:
    """A run with everything in it: a first life that is killed, then (recorded) recovery, load, reindex, close."""
    chance = random.Random(f"power {seed}")
    sends = plan(seed, count)
    disk, base, log = folder / "disk", folder / "base", folder / "log"
    root = disk / "of" / "mine"  # folders that the engine makes must keep their names as well
    earlier: frozenset[int] = frozenset()
    if chance.random() < 0.5:
        base.mkdir(parents=True)
        disk.mkdir()
    else:
        with booted(root) as node:
            node.load(sends[: count // 3])
            earlier = frozenset(node.acknowledged)
            if chance.random() < 0.5:
                node.close()
        shutil.copytree(disk, base)
    inodes = inodes_of(disk, base)
    order = Order(
        root=str(root),
        disk=str(disk),
        log=str(log),
        checkpoint=chance.choice(("auto", "files")),
        ack=chance.choice(("disk", "disk", "object")),
        keeper=keeper,
    )
    with Node(order) as node:
        node.opened()
        node.load(sends)
        if chance.random() < 0.5:
            node.ask("reindex")
        node.close()
    data = memoryview(log.read_bytes())
    return Recording(disk, base, log, sends, positions(data), data, earlier, inodes)


def record_stowed(folder: Path, seed: int) -> Recording:
    """The same, stored to by STOW-RS."""
    return record(folder, seed, keeper="stowed")


def moments(recording: Recording, chance: random.Random) -> Iterator[tuple[int, Survival, int]]:
    """Where to cut: half of the time right after something was promised, or in the midst of a sync."""
    telling = [at + 1 for at, line in enumerate(recording.lines) if line.change in (Change.marked, Change.sync_begin)]
    while True:
        at = chance.choice(telling) if chance.random() < 0.5 else chance.randrange(len(recording.lines) + 1)
        yield at, chance.choice(list(Survival)), chance.randrange(1 << 30)


def lose_power(
    recording: Recording, target: Path, at: int, survival: Survival, seed: int, *, thorough: bool = False
) -> list[str]:
    """The facts after power was lost at one moment. Promises made before the recording began hold as well."""
    disk = Disk(recording.root, recording.base, recording.data, at, recording.inodes)
    disk.write(target, survival, seed)
    words = [mark.split() for mark in disk.marks]
    promised = recording.earlier | {int(word[1]) for word in words if word[0] == b"acknowledged"}
    problems = examine(target / "of" / "mine", recording.sends, promised, thorough=False)
    return [f"power lost at {at} of {len(recording.lines)}, {survival}, seed {seed}: {problem}" for problem in problems]


def complete(recording: Recording, target: Path) -> list[str]:
    """Paths where the log does not describe the folder that is there: the recorder has missed a call.

    The index is left out: tantivy makes some files without libc. Nothing that is true depends on it.
    """
    disk = Disk(recording.root, recording.base, recording.data, None, recording.inodes)
    disk.write(target, Survival.everything)
    missed = [name for name in same_folders(recording.root, target) if "/node/index" not in name]
    return [f"the recorder has missed a change of {name}" for name in missed]


def _lost_power(
    root: Path, base: Path, log: Path, at: int | None, survival: Survival, seed: int, target: Path
) -> list[str]:
    try:
        Disk(root, base, memoryview(log.read_bytes()), at).write(target, survival, seed)
    except ValueError as error:
        return [f"the harness: {error}"]
    return []


def kill_server(folder: Path, seed: int) -> list[str]:
    """kill -9 on ``filmroom serve``, twice, while DCMTK and lean senders store to it; then the facts."""
    chance = random.Random(f"server {seed}")
    sends = [Send(seed, number, large=number % 11 == 0) for number in range(SENDS * 4)]
    promised: set[int] = set()
    for life in range(2):
        part = [(index, send) for index, send in enumerate(sends) if index % 2 == life]
        files = folder / f"files-{life}"
        with Server(folder / "store") as server:
            promised |= killed_load(server, part, files, kill_after=chance.randrange(1, len(part) * 3 // 4))
        if server.process.returncode != -signal.SIGKILL:
            return [f"the server ended by itself: {server.errors!r}"]
    return examine(folder / "store", sends, promised, thorough=False)


def killed_load(server: Server, sends: list[tuple[int, Send]], files: Path, kill_after: int) -> set[int]:
    """Three lean senders and one of DCMTK at once; killed at the given count of answers. Who was told success."""
    told: set[int] = set()
    refused: set[int] = set()
    lock = threading.Lock()

    def answered(index: int, status: int) -> None:
        with lock:
            (refused if status else told).add(index)
            if len(told) == kill_after:
                server.process.kill()

    shares = [sends[first::SENDERS] for first in range(SENDERS)]
    senders = [threading.Thread(target=send_lean, args=(server.dicom, share, answered)) for share in shares[1:]]
    senders.append(threading.Thread(target=send_dcmtk, args=(server.dicom, shares[0], files, answered)))
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(SENDER_SECONDS_MAX)
    assert not any(sender.is_alive() for sender in senders), "a sender waits for an answer that does not come"
    assert not refused, f"{len(refused)} refused"
    return told


def record_after_crash(folder: Path, seed: int, count: int = SENDS * 2) -> Recording:
    """A life that dies at a seeded call, and the recovery and load of the next one, in one recording.

    What the first one has not synced stands in the page cache alone: nobody but the recovery can make it safe.
    """
    chance = random.Random(f"crash {seed}")
    sends = plan(seed, count)
    disk, base, log = folder / "disk", folder / "base", folder / "log"
    root = disk / "of" / "mine"
    base.mkdir(parents=True)
    disk.mkdir()
    inodes = inodes_of(disk, base)
    order = Order(root=str(root), disk=str(disk), log=str(log), checkpoint=chance.choice(("auto", "files")))
    call = chance.choice((Call.pwrite, Call.copy_file_range, Call.rename, Call.writev, Call.fsync))
    when = When.kill_before if call is Call.fsync else When.kill_after
    place = chance.randrange(1, 14)
    with Node(order) as node:
        node.opened().ask("aim", Fault(call=call, when=when, first=place, last=place))
        with suppress(Died):
            node.load(sends[: count // 2])
    with Node(order) as node:
        node.opened()
        node.load(sends[count // 2 :], first=count // 2)
        node.close()
    data = memoryview(log.read_bytes())
    return Recording(disk, base, log, sends, positions(data), data, frozenset(), inodes)
