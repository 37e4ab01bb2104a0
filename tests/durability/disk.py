"""A disk that loses power: what a folder may look like after it, by the log that ``recorder.py`` wrote.

The rules are those that POSIX gives, harder than ext4 or xfs keep them:

- Bytes, sizes and truncations of a file are safe once an ``fsync`` or ``fdatasync`` of that file, begun after them, has
  returned 0. Until then each may be there, not there, or (bytes) there in some of its 512-byte sectors.
- A name (create, link, rename, unlink, mkdir) is safe once an ``fsync`` of its *directory*, begun after it, has
  returned 0. Until then it may be there or not, whatever is known of the file's bytes: an empty file under its final
  name, or bytes without a name. A rename never leaves the file without any name; across directories both may stay.
- ``syncfs`` makes all safe that stood before it began.
- After a *failed* sync nothing that waited for it is ever made safe by a later one: the kernel drops such pages.

``Survival`` names the worlds that differ most; ``Survival.chance`` draws each fate by seed. What is in the folder when
the recording begins is safe.
"""

import filecmp
import os
import random
from enum import StrEnum
from pathlib import Path
from typing import Final

from tests.durability.recorder import Change, Line, read

SECTOR_BYTES: Final = 512


class Survival(StrEnum):
    """The fate of what was not synced."""

    nothing = "nothing"  # all of it is gone
    names = "names"  # names stay, bytes are gone: empty files under their final names
    data = "data"  # bytes stay, names are gone
    chance = "chance"  # each by itself, writes torn at sectors
    everything = "everything"  # as after kill -9


class Node:
    """A file or a directory, and what was done to it since the recording began."""

    def __init__(self, base: Path | None, is_directory: bool) -> None:
        self.base = base  # where its content of the beginning lies
        self.is_directory = is_directory
        self.entries: dict[str, Node] = {}  # now
        self.first_entries: dict[str, Node] = {}  # at the beginning
        self.changes: list[tuple[int, Line]] = []  # of bytes
        self.names: list[Naming] = []  # of a directory
        self.syncs: list[tuple[int, bool]] = []  # (begun at, succeeded), in order of their end

    def safe(self, at: int) -> bool:
        """Whether what was done at position ``at`` is synced."""
        for begun, succeeded in self.syncs:
            if begun > at:
                return succeeded
        return False


class Naming:
    """One change of a directory: ``name`` is now ``node``, or gone. ``partner``: the other half of a rename."""

    def __init__(self, at: int, directory: Node, name: str, node: Node | None) -> None:
        self.at = at
        self.directory = directory
        self.name = name
        self.node = node
        self.partner: Naming | None = None
        self.kept = False


class Disk:
    """The folder ``root`` as of position ``until`` in a log: the lines before it are done, no later ones begun."""

    def __init__(
        self, root: Path, base: Path, data: memoryview, until: int | None = None, inodes: dict[str, int] | None = None
    ) -> None:
        """``base``: the content at the beginning (a copy, or ``root`` itself); ``inodes``: of ``root`` then, since
        files may have gone. Raises ``ValueError`` for calls that it cannot follow: an unknown inode, an exchange of
        names.
        """
        self._root = str(root)
        self._data = data
        self._inodes: dict[int, Node] = {}
        self._begun: dict[tuple[int, int], int] = {}
        self.top = self._load(base, "", inodes if inodes is not None else inodes_of(root, base))
        self.marks: list[bytes] = []
        for at, line in enumerate(read(data)):
            if until is not None and at >= until:
                break
            self._apply(at, line)

    def write(self, target: Path, survival: Survival, seed: int = 0) -> None:
        """What is there when power comes back, as a new folder ``target``."""
        chance = random.Random(seed)
        self._decide(survival, chance)
        self._write_directory(self.top, target, survival, chance, {})

    # -- following the log -----------------------------------------------------------------------------------------

    def _load(self, base: Path, name: str, inodes: dict[str, int]) -> Node:
        node = Node(base, base.is_dir())
        self._inodes[inodes[name]] = node
        if node.is_directory:
            for child in sorted(base.iterdir()):
                node.entries[child.name] = self._load(child, f"{name}/{child.name}", inodes)
        node.first_entries = dict(node.entries)
        return node

    def _apply(self, at: int, line: Line) -> None:
        match line.change:
            case Change.create | Change.made:
                node = Node(None, line.change is Change.made)
                self._inodes[line.inode] = node
                if line.path:
                    self._name(at, line.path, node)
            case Change.data | Change.zeros | Change.truncate | Change.allocate:
                self._node(line).changes.append((at, line))
            case Change.linked:
                self._name(at, line.path, self._node(line))
            case Change.renamed:
                gone = self._name(at, line.path, None)
                gone.partner = self._name(at, line.other, self._node(line))
            case Change.unlinked | Change.removed:
                self._name(at, line.path, None)
            case Change.sync_begin:
                self._begun[line.thread, line.call] = at
            case Change.sync_end:
                self._sync(line, self._begun.pop((line.thread, line.call)))
            case Change.marked:
                self.marks.append(bytes(self._data[line.data_at : line.data_at + line.length]))
            case Change.unknown:
                raise ValueError(f"the recorder saw a call that it cannot follow: {line.call.name} {line.path}")

    def _node(self, line: Line) -> Node:
        if line.inode not in self._inodes:
            raise ValueError(f"{line.call.name} of a file that nobody was seen to make: {line.path or line.inode}")
        return self._inodes[line.inode]

    def _name(self, at: int, path: str, node: Node | None) -> Naming:
        directory = self.top
        *parents, name = os.path.relpath(os.path.normpath(path), self._root).split("/")
        for parent in parents:
            directory = directory.entries[parent]
        naming = Naming(at, directory, name, node)
        directory.names.append(naming)
        if node is None:
            directory.entries.pop(name, None)
        else:
            directory.entries[name] = node
        return naming

    def _sync(self, line: Line, begun: int) -> None:
        whole = line.call.name == "syncfs"
        for node in set(self._inodes.values()) if whole else {self._node(line)}:
            node.syncs.append((begun, not line.failed))

    # -- losing power ----------------------------------------------------------------------------------------------

    def _decide(self, survival: Survival, chance: random.Random) -> None:
        namings = [naming for node in set(self._all_nodes()) for naming in node.names]
        namings.sort(key=lambda naming: naming.at)
        for naming in namings:
            lucky = survival in (Survival.names, Survival.everything)
            lucky = chance.random() < 0.5 if survival is Survival.chance else lucky
            naming.kept = naming.directory.safe(naming.at) or lucky
        for naming in namings:
            if naming.partner is None:
                continue
            if naming.partner.directory is naming.directory or naming.directory.safe(naming.at):
                naming.partner.kept = naming.kept = naming.kept or naming.partner.kept
            elif not naming.partner.kept:
                naming.kept = False

    def _all_nodes(self) -> list[Node]:
        found, queue = [], [self.top, *self._inodes.values()]
        seen = set()
        while queue:
            node = queue.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            found.append(node)
            queue += node.first_entries.values()
            queue += [naming.node for naming in node.names if naming.node is not None]
        return found

    def _write_directory(
        self, node: Node, target: Path, survival: Survival, chance: random.Random, made: dict[Node, Path]
    ) -> None:
        target.mkdir()
        entries = dict(node.first_entries)
        for naming in node.names:
            if naming.kept and naming.node is not None:
                entries[naming.name] = naming.node
            elif naming.kept:
                entries.pop(naming.name, None)
        for name, child in sorted(entries.items()):
            if child.is_directory:
                self._write_directory(child, target / name, survival, chance, made)
            elif child in made:
                os.link(made[child], target / name)
            else:
                made[child] = target / name
                self._write_file(child, target / name, survival, chance)

    def _write_file(self, node: Node, target: Path, survival: Survival, chance: random.Random) -> None:
        last = node.changes[-1][0] if node.changes else -1
        content = Content(target, node.base)
        for at, line in node.changes:
            if node.safe(at) or survival in (Survival.data, Survival.everything):
                content.apply(line, self._data)
            elif survival is Survival.chance:
                fate = chance.random()
                if fate < 0.4:
                    content.apply(line, self._data)
                elif fate < 0.8 or at == last:
                    content.tear(line, self._data, chance)
        content.close()


class Content:
    """A file in the making: zeros that nobody wrote over are left as holes."""

    def __init__(self, target: Path, base: Path | None) -> None:
        self._fd = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        self._size = 0
        self._high = 0  # above this there are only zeros
        if base is not None:
            data = base.read_bytes()
            self._put(0, data)

    def apply(self, line: Line, data: memoryview) -> None:
        end = line.offset + line.length
        match line.change:
            case Change.data:
                self._put(line.offset, data[line.data_at : line.data_at + line.length])
            case Change.zeros:
                self._zero(line.offset, end)
            case Change.truncate:
                os.ftruncate(self._fd, line.length)
                self._size = line.length
                self._high = min(self._high, self._size)
            case Change.allocate:
                self._grow(end)

    def tear(self, line: Line, data: memoryview, chance: random.Random) -> None:
        """Some of the sectors reach the disk; the size may have."""
        if line.change is not Change.data:
            return
        sectors = range(line.offset // SECTOR_BYTES, (line.offset + line.length - 1) // SECTOR_BYTES + 1)
        kind = chance.randrange(3)
        cut = chance.randrange(len(sectors) + 1)
        for number, sector in enumerate(sectors):
            if not (number < cut if kind == 0 else number >= cut if kind == 1 else chance.random() < 0.5):
                continue
            first = max(line.offset, sector * SECTOR_BYTES)
            end = min(line.offset + line.length, (sector + 1) * SECTOR_BYTES)
            self._put(first, data[line.data_at + first - line.offset : line.data_at + end - line.offset])

    def close(self) -> None:
        os.close(self._fd)

    def _put(self, offset: int, piece: bytes | memoryview) -> None:
        os.pwrite(self._fd, piece, offset)
        self._high = max(self._high, offset + len(piece))
        self._size = max(self._size, self._high)

    def _zero(self, offset: int, end: int) -> None:
        if offset < self._high:
            os.pwrite(self._fd, bytes(min(end, self._high) - offset), offset)
        self._grow(end)

    def _grow(self, size: int) -> None:
        if size > self._size:
            os.ftruncate(self._fd, size)
            self._size = size


def inodes_of(root: Path, base: Path) -> dict[str, int]:
    """Inode numbers in ``root`` of all that is in ``base``, by path below it."""
    found = {"": root.stat().st_ino}
    for path in base.rglob("*"):
        name = str(path.relative_to(base))
        found["/" + name] = (root / name).stat().st_ino
    return found


def positions(data: memoryview) -> list[Line]:
    """The lines of a log; a power loss can come before each of them, and after the last."""
    return list(read(data))


def same_folders(one: Path, other: Path) -> list[str]:
    """Paths below the two that differ in kind or content."""
    names = {str(path.relative_to(folder)) for folder in (one, other) for path in folder.rglob("*")}
    return [name for name in sorted(names) if not _same(one / name, other / name)]


def _same(one: Path, other: Path) -> bool:
    if one.is_dir() or other.is_dir():
        return one.is_dir() and other.is_dir()
    if not (one.is_file() and other.is_file()) or one.stat().st_size != other.stat().st_size:
        return False
    return filecmp.cmp(one, other, shallow=False)
