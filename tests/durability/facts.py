"""The facts of the design that must hold after anything: asked of an archive that has come back."""

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from tests.durability.files import Send
from tests.durability.node import Died, Refused, booted
from tests.durability.snapshot import Name, Snapshot


class Expectation(msgspec.Struct):
    """What may be known of one instance: ``promised`` = it must be there. Digests are SHA-256 of data sets."""

    promised: bool = False
    currents: set[str] = msgspec.field(default_factory=set)
    contents_promised: set[int] = msgspec.field(default_factory=set)
    contents_sent: set[int] = msgspec.field(default_factory=set)


def expected(sends: Sequence[Send], acknowledged: Iterable[int]) -> dict[Name, Expectation]:
    """By instance. The first kept store is current: one that came before the first promise, or that one itself."""
    promised = set(acknowledged)
    found: dict[Name, Expectation] = {}
    for index, send in enumerate(sends):
        name = send.name
        expectation = found.setdefault(name, Expectation())
        if not expectation.promised:
            expectation.currents.add(hashlib.sha256(send.dataset()).hexdigest())
        expectation.contents_sent.add(send.content)
        if index in promised:
            expectation.promised = True
            expectation.contents_promised.add(send.content)
    return found


def broken(snapshot: Snapshot, sends: Sequence[Send], acknowledged: Iterable[int]) -> list[str]:
    """Facts 1-3: sentences about what is lost, altered, half there, or miscounted."""
    expectations = expected(sends, acknowledged)
    problems = [
        f"{name[2]}: acknowledged and lost"
        for name, expectation in expectations.items()
        if expectation.promised and name not in snapshot.instances
    ]
    for name, (_, versions, digest) in snapshot.instances.items():
        expectation = expectations.get(name, Expectation())
        if digest not in expectation.currents:
            problems.append(f"{name[2]}: its data set is not one that may be current")
        fewest, most = max(1, len(expectation.contents_promised)), len(expectation.contents_sent)
        if not fewest <= versions <= most:
            problems.append(f"{name[2]}: {versions} versions, not {fewest} to {most}")
    return problems + miscounted(snapshot)


def examine(root: Path, sends: Sequence[Send], acknowledged: Iterable[int], *, thorough: bool = True) -> list[str]:
    """All that is wrong with the archive in ``root``: facts 1-3, and when thorough 4 (idempotent) and 5 (rebuilt)."""
    try:
        return _examine(root, sends, sorted(set(acknowledged)), thorough)
    except (Died, Refused) as error:
        return [f"does not come back: {error}"]


def _examine(root: Path, sends: Sequence[Send], promised: list[int], thorough: bool) -> list[str]:
    with booted(root) as node:
        first = node.snapshot()
        problems = broken(first, sends, promised)
        problems += [f"verify: {finding}" for finding in node.ask("verify")]
        if problems or not thorough:
            if not problems:
                problems += _differences("after reindex", first, _after(node.ask("reindex"), node.snapshot()))
            return problems
        problems += [f"re-sending: {reason}" for _, reason in node.load(list(sends))]
        second = node.snapshot()
        problems += broken(second, sends, promised)
        absent = expected(sends, ()).keys() - second.instances.keys()
        problems += [f"{name[2]}: sent again, acknowledged, and lost" for name in absent]
        problems += [f"{name[2]}: re-sending changed what is current" for name in _moved(first, second)]
        problems += [f"re-sending: {reason}" for _, reason in node.load(list(sends))]
        problems += _differences("after re-sending twice", second, node.snapshot())
        node.close()
    for lost in ("index", "node"):
        lose(root, lost)
        with booted(root) as node:
            problems += _differences(f"with {lost} lost", second, node.snapshot())
            problems += [f"verify with {lost} lost: {finding}" for finding in node.ask("verify")]
            node.close()
    return problems


def _after(_: object, snapshot: Snapshot) -> Snapshot:
    return snapshot


def lose(root: Path, what: str) -> None:
    """What may be deleted at any time when nothing waits in the intake: ``index`` or ``node``."""
    for path in [root / "node"] if what == "node" else list((root / "node").glob("index*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _moved(first: Snapshot, second: Snapshot) -> list[Name]:
    return [n for n, kept in first.instances.items() if (second.instances.get(n) or ("", 0, ""))[::2] != kept[::2]]


def _differences(when: str, one: Snapshot, other: Snapshot) -> list[str]:
    found = [f"{when}: counts {one.counts} became {other.counts}"] if one.counts != other.counts else []
    for name in sorted(one.instances.keys() | other.instances.keys()):
        if one.instances.get(name) != other.instances.get(name):
            found.append(f"{when}: {name[2]} was {one.instances.get(name)}, is {other.instances.get(name)}")
    return found + [
        f"{when}: rows of level {level} differ" for level in one.rows if one.rows[level] != other.rows[level]
    ]


def miscounted(snapshot: Snapshot) -> list[str]:
    """Counts and rows that are not those of the instances."""
    names = snapshot.instances.keys()
    true = (len({name[0] for name in names}), len({name[:2] for name in names}), len(names))
    rows = tuple(len(snapshot.rows[level]) for level in ("study", "series", "instance"))
    problems = [f"counted {snapshot.counts}, there are {true}"] if snapshot.counts != true else []
    return problems + ([f"rows found {rows}, there are {true}"] if rows != true else [])
