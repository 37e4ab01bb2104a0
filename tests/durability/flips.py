"""Trials of damaged bytes at rest, in a child (an index that is mapped could take the process with it).

Each trial damages one file of a small archive, looks at all that the archive answers, and puts the bytes back. What it
may come to stands in ``Fate``; anything else is a sentence in ``Outcome.problems``.
"""

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import trio

import engine
from engine.clock import Clock
from engine.errors import Corrupt, FilmroomError, Invalid
from engine.keep.formats import encode_layout
from engine.keep.intake_format import decode_checkpoint
from engine.keep.journal_reader import JournalReader
from engine.keep.stores import open_store
from engine.keep.verify import verify_journal
from engine.model import DEFAULT_TENANT, Record
from engine.settings import StoreSettings
from native.segment import scan
from tests.durability.damage import WAYS, Damage, Extent, damaged, drawn, inflict
from tests.durability.host import INTAKE_BYTES_MAX
from tests.durability.snapshot import digest

Area = Literal["objects", "journal", "intake", "index"]
# refused: the start says Corrupt. told: a read or verify says it, all else is right. right: nothing is different.
# nothing changed: zeros over zeros.
Fate = Literal["refused", "told", "right", "nothing changed"]

SEGMENT_BYTES: Final = 1 << 20
OPENED_EVERY: Final = 20  # of journal trials, those that open the whole archive as well
WAY_EVERY: Final = 8  # other damage than one bit
DEAD_EVERY: Final = 10  # of intake trials
KEYS: Final[tuple[dict[str, str], ...]] = (
    {"PatientName": "trial*"},
    {"PatientID": "P31-1"},
    {"StudyDate": "20240301-20240615"},
    {"00204000": "content 0"},
    {"Modality": "OT"},
    {"Rows": "10"},
)


class Outcome(msgspec.Struct):
    """Of many trials: how often each fate, and what must not be."""

    fates: Counter[Fate] = msgspec.field(default_factory=Counter)
    problems: list[str] = []


class Answers(msgspec.Struct, frozen=True):
    """All that an archive says of itself. ``served``: digests of data sets by SOP Instance UID."""

    served: dict[str, str]
    rows: list[list[dict[str, str]]]
    counts: tuple[int, int, int]
    damage: tuple[str, ...] = ()


def run(connection: Any, area: Area, folder: str, seed: int, count: int) -> None:
    """The child's main function: the outcome goes into the pipe."""
    work: dict[Area, Callable[[Path, random.Random, int], Outcome]] = {
        "objects": lambda root, chance, count: trio.run(objects, root, chance, count),
        "journal": journal,
        "intake": intake,
        "index": index,
    }
    connection.send(work[area](Path(folder), random.Random(f"{area} {seed}"), count))


# -- objects: the archive stays open, the byte is put back -------------------------------------------------------------


async def objects(root: Path, chance: random.Random, count: int) -> Outcome:
    """Each altered object is found by whoever reads it, and by verify; the others are served."""
    outcome = Outcome()
    paths = sorted((root / "archive" / "t").rglob("*.dcm"))
    async with engine.open(str(root), _settings(root)) as archive:
        truth = await _answers(archive)
        named = {one.key: one.sop_instance_uid async for one in archive.fetch()}
        for number in range(count):
            damage = _drawn(chance, chance.choice(paths), number)
            with damaged(damage) as changed:
                served = await _served(archive)
                found = {finding.kind async for finding in archive.verify() if finding.is_damage}
            expected = dict(truth.served)
            if changed:
                expected.pop(named.get(damage.path.stem, ""), None)
            if served != expected or bool(found) != changed:
                outcome.problems.append(f"{damage}: verify says {sorted(found)}, {_compared(served, expected)}")
            outcome.fates["told" if changed else "nothing changed"] += 1
    return outcome


async def _served(archive: engine.Archive) -> dict[str, str]:
    """What each instance is served as; none for one whose object is not what was written."""
    served = {}
    for one in await archive.instances(engine.Query(level=engine.Level.INSTANCE)):
        async with archive.reader([one]) as windows:
            async for window in windows:
                for fetched in window.objects:
                    try:
                        served[one.sop_instance_uid] = digest(b"".join(engine.checked_pieces(fetched)))
                    except Corrupt:
                        continue
    return served


# -- journal: read without an archive, now and then with one -----------------------------------------------------------


def journal(root: Path, chance: random.Random, count: int) -> Outcome:
    """Each altered batch, entry of the writers stream, or layout is found by verify and stops who derives from it."""
    outcome = Outcome()
    truth = look(root)
    _, sound = _journal_read(root)
    tenant = root / "archive" / "t" / DEFAULT_TENANT
    paths = [path for name in ("j", "w") for path in sorted((tenant / name).rglob("*")) if path.is_file()]
    paths.append(root / "archive" / "format.json")
    for number in range(count):
        damage = _drawn(chance, chance.choice(paths), number)
        with damaged(damage) as altered:
            changed = altered and not _is_line_end_alone(damage)
            found, records = _journal_read(root)
            if changed and not (found and records in (None, sound)):
                outcome.problems.append(f"{damage}: found {found}, read {len(records or ())} of {len(sound or ())}")
            if number % OPENED_EVERY == 0 and changed:
                for lost in ("nothing", "node"):
                    with _copied(root) as copy:
                        if lost == "node":
                            shutil.rmtree(copy / "node")
                        outcome.problems += _opened(damage, copy, truth, Outcome(), may_be_right=False)
        outcome.fates["told" if changed else "nothing changed"] += 1
    return outcome


def _is_line_end_alone(damage: Damage) -> bool:
    """Whether all that is gone is the line feed behind ``format.json``: it says the same."""
    return damage.path.name == "format.json" and damage.path.read_bytes() + b"\n" == encode_layout()


def _journal_read(root: Path) -> tuple[bool, list[Record] | None]:
    """Whether verify finds something, and the records that a reader gets; None when it is stopped."""
    try:
        store = open_store(_settings(root))
    except (Corrupt, Invalid):
        return True, None
    try:
        found = bool(list(verify_journal(store, DEFAULT_TENANT)))
        batches = JournalReader(store, DEFAULT_TENANT, Clock()).read({})
        return found, [record for _, batch in batches for record in batch.records]
    except (Corrupt, Invalid):
        return found, None
    finally:
        store.close()


# -- intake and index: a start each ------------------------------------------------------------------------------------


def intake(root: Path, chance: random.Random, count: int) -> Outcome:
    """The intake of a killed node whose records are nowhere else. Bytes that nobody uses may change: nothing does."""
    outcome = Outcome()
    with _copied(root) as copy:
        truth = look(copy)
    node = root / "node"
    live = {node / name: [(0, (node / name).stat().st_size)] for name in ("checkpoint", "writer")}
    live |= {path: [(0, path.stat().st_size)] for path in (node / "spool").iterdir()}
    dead: dict[Path, list[Extent]] = {}
    segments = []
    for path, number, generation in _segments(node):
        used, dead[path] = _extents(path, number, generation)
        if used:
            segments.append(path)
            live[path] = used
    dead[node / "promised"] = [(0, (node / "promised").stat().st_size)]
    paths = [*live, *segments, *segments]
    for number in range(count):
        path = chance.choice(paths)
        is_dead = number % DEAD_EVERY == 0
        if is_dead:
            path = chance.choice(list(dead))
        damage = drawn(chance, path, dead[path]) if is_dead else drawn(chance, path, live[path], _way(number, chance))
        with _copied(root) as copy:
            there = msgspec.structs.replace(damage, path=copy / path.relative_to(root))
            harmless = not inflict(there) or is_dead
            outcome.problems += _opened(there, copy, truth, outcome, may_be_right=harmless)
    return outcome


def _segments(node: Path) -> Iterator[tuple[Path, int, int]]:
    checkpoint = decode_checkpoint((node / "checkpoint").read_bytes())
    for number, generation in checkpoint.segments.items():
        yield node / "intake" / f"{number:06d}", number, generation


def _extents(path: Path, number: int, generation: int) -> tuple[list[Extent], list[Extent]]:
    """Bytes of records, and all others."""
    fd = os.open(path, os.O_RDONLY)
    try:
        entries = scan(fd, number, generation, SEGMENT_BYTES).entries
    finally:
        os.close(fd)
    live = [(e.payload_offset - e.context_length - 80, e.payload_offset + e.payload_length) for e in entries]
    edges = [0, *(edge for extent in live for edge in extent), SEGMENT_BYTES]
    return live, [(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if begin < end]


def index(root: Path, chance: random.Random, count: int) -> Outcome:
    """A damaged index answers as a sound one, or is made anew."""
    outcome = Outcome()
    truth = look(root)
    paths = [path for path in sorted((root / "node" / "index").rglob("*")) if path.is_file() and path.stat().st_size]
    for number in range(count):
        damage = _drawn(chance, chance.choice(paths), number)
        with _copied(root) as copy:
            there = msgspec.structs.replace(damage, path=copy / damage.path.relative_to(root))
            inflict(there)
            outcome.problems += _opened(there, copy, truth, outcome, may_be_right=True)
    return outcome


# -- looking -----------------------------------------------------------------------------------------------------------


def _opened(damage: Damage, root: Path, truth: Answers, outcome: Outcome, *, may_be_right: bool) -> list[str]:
    """Opens a damaged archive; the fate is counted."""
    try:
        answers = look(root)
    except (Corrupt, Invalid):
        outcome.fates["refused"] += 1
        return []
    except FilmroomError as error:
        if "Corrupt" in str(error):  # the archive is open, and ends because of it
            outcome.fates["refused"] += 1
            return []
        return [f"{damage}: {type(error).__name__}: {error}"]
    same = (answers.served, answers.rows, answers.counts) == (truth.served, truth.rows, truth.counts)
    if same and (may_be_right or answers.damage):
        outcome.fates["told" if answers.damage else "right"] += 1
        return []
    return [f"{damage}: opens; {_compared(answers.served, truth.served)}; rows same {answers.rows == truth.rows}"]


def look(root: Path) -> Answers:
    """Open, ask everything, close. Raises what opening, asking or closing does."""
    return trio.run(_look, root)


async def _look(root: Path) -> Answers:
    async with engine.open(str(root), _settings(root)) as archive:
        try:
            answers = await _answers(archive)
        except engine.Unavailable as error:
            raise engine.Unavailable(archive.failure() or str(error)) from None
        damage = [str(finding) async for finding in archive.verify() if finding.is_damage]
        return msgspec.structs.replace(answers, damage=tuple(damage))


async def _answers(archive: engine.Archive) -> Answers:
    rows = []
    for level in ("study", "series", "instance"):
        for keys in ({}, *KEYS):
            found = [row async for row in archive.find(level, **keys)]
            rows.append(sorted((dict(row) for row in found), key=lambda row: sorted(row.items())))
    status = await archive.status()
    return Answers(await _served(archive), rows, (status.study_count, status.series_count, status.instance_count))


def _compared(served: dict[str, str], expected: dict[str, str]) -> str:
    altered = [uid for uid in served.keys() & expected.keys() if served[uid] != expected[uid]]
    return f"lacks {len(expected.keys() - served.keys())}, has {len(served.keys() - expected.keys())} more, {altered=}"


def _way(number: int, chance: random.Random) -> Any:
    return chance.choice(WAYS) if number % WAY_EVERY == 1 else "bit"


def _drawn(chance: random.Random, path: Path, number: int) -> Damage:
    return drawn(chance, path, [(0, path.stat().st_size)], _way(number, chance))


def _settings(root: Path) -> StoreSettings:
    return StoreSettings(url=str(root), intake_bytes_max=INTAKE_BYTES_MAX)


class _copied:
    """A copy of the archive that a trial may change."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = tempfile.mkdtemp(prefix="filmroom-flips-", dir=root.parent)

    def __enter__(self) -> Path:
        return Path(shutil.copytree(self._root, Path(self._folder) / "store"))

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
