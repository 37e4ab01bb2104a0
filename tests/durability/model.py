"""The archive as a dict: what a history of acknowledged stores and decisions must amount to. Obvious, not fast."""

import copy
import hashlib
from collections.abc import Callable, Iterable

from tests.durability.facts import miscounted
from tests.durability.files import Send
from tests.durability.snapshot import Name, Snapshot


class Kept:
    """One store. ``sent``: whose bytes stand here, of a re-send those that were there. ``hidden``: by what deletes."""

    def __init__(self, content: int, sent: Send) -> None:
        self.content = content
        self.sent = sent
        self.hidden: set[int] = set()
        self.is_collected = False

    @property
    def lives(self) -> bool:
        return not self.hidden and not self.is_collected


class Model:
    """By instance: its stores in their order, and the contents that were promoted."""

    def __init__(self) -> None:
        self.stores: dict[Name, list[Kept]] = {}
        self.promoted: dict[Name, list[int]] = {}
        self._decisions = 0

    def copy(self) -> "Model":
        return copy.deepcopy(self)

    def store(self, send: Send) -> None:
        """The same content, while it lives, is the object that is there already."""
        living = [kept for kept in self._living(send.name) if kept.content == send.content]
        self.stores.setdefault(send.name, []).append(Kept(send.content, living[0].sent if living else send))

    def delete(self, chosen: Callable[[Name], bool]) -> int:
        """Hides what lives, every version; how many instances."""
        self._decisions += 1
        names = [name for name in self.living_names() if chosen(name)]
        for name in names:
            for kept in self._living(name):
                kept.hidden.add(self._decisions)
        return len(names)

    def restore(self, chosen: Callable[[Name], bool]) -> int:
        """Undoes, where nothing lives, every delete that hides what is not collected; how many instances."""
        count = 0
        for name in self.stores.keys() - set(self.living_names()):
            undone = {one for kept in self.stores[name] if not kept.is_collected for one in kept.hidden}
            if chosen(name) and undone:
                count += 1
                for kept in self.stores[name]:
                    kept.hidden -= undone
        return count

    def collect(self) -> None:
        """After the grace of everything that is hidden."""
        for stores in self.stores.values():
            for kept in stores:
                kept.is_collected = kept.is_collected or bool(kept.hidden)

    def promote(self, name: Name, number: int) -> None:
        self.promoted.setdefault(name, []).append(self.versions(name)[number])

    def living_names(self) -> list[Name]:
        return sorted(name for name in self.stores if self._living(name))

    def versions(self, name: Name) -> list[int]:
        """Contents that live, the current one first, the others by when they first came, living or not."""
        alive = {kept.content for kept in self._living(name)}
        contents = list(dict.fromkeys(kept.content for kept in self.stores[name] if kept.content in alive))
        promoted = [content for content in self.promoted.get(name, ()) if content in alive]
        return sorted(contents, key=lambda content: content != promoted[-1]) if promoted else contents

    def problems(self, snapshot: Snapshot) -> list[str]:
        """What an archive answers otherwise."""
        shown = {name: (versions, digest) for name, (_, versions, digest) in snapshot.instances.items()}
        expected = {name: (len(self.versions(name)), self._digest(name)) for name in self.living_names()}
        differing = _differing(shown, expected)
        return [f"{name[2]}: is {shown.get(name)}, not {expected.get(name)}" for name in differing] + miscounted(
            snapshot
        )

    def _living(self, name: Name) -> list[Kept]:
        return [kept for kept in self.stores.get(name, ()) if kept.lives]

    def _digest(self, name: Name) -> str:
        current = self.versions(name)[0]
        first = next(kept for kept in self._living(name) if kept.content == current)
        return hashlib.sha256(first.sent.dataset()).hexdigest()


def _differing(one: dict[Name, tuple[int, str]], other: dict[Name, tuple[int, str]]) -> Iterable[Name]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
