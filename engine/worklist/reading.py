"""Workitems as data sets: Explicit VR Little Endian, tags ascending, in UTF-8. Pure."""

from collections.abc import Iterator, Sequence

from native import dataset
from native.explicit import elements, item, items

CHARACTER_SET = dataset.element(0x00080005, "CS", b"ISO_IR 192")


class Part:
    """A data set, or one item of a sequence in it."""

    __slots__ = ("_found",)

    def __init__(self, data: bytes) -> None:
        self._found = {tag: (vr, data[value:end]) for tag, vr, _, value, end in elements(data)}

    def __contains__(self, tag: int) -> bool:
        return tag in self._found

    def __iter__(self) -> Iterator[int]:
        return iter(self._found)

    def value(self, tag: int) -> bytes:
        """As it stands there; empty when it is absent."""
        return self._found.get(tag, (b"", b""))[1]

    def text(self, tag: int) -> str:
        """A value without its padding."""
        return self.value(tag).decode("utf-8", "replace").strip(" \0")

    def items(self, tag: int) -> "list[Part]":
        """Of a sequence; none of what is none."""
        vr, value = self._found.get(tag, (b"", b""))
        return [Part(value[start:end]) for start, end in items(value)] if vr == b"SQ" else []

    def has_value(self, tag: int) -> bool:
        """Whether it says anything; of a sequence, whether it has an item."""
        vr, value = self._found.get(tag, (b"", b""))
        return bool(value) if vr == b"SQ" else bool(value.strip(b" \0\\"))


def texts(*said: tuple[int, str, str]) -> bytes:
    """A data set of a few attributes: tag, value representation, text."""
    return b"".join(dataset.element(tag, vr, text.encode()) for tag, vr, text in sorted(said))


def sequence(tag: int, parts: Sequence[bytes]) -> bytes:
    """One element with an item for each of the parts."""
    return dataset.element(tag, "SQ", b"".join(map(item, parts)))


def without(data: bytes, tags: frozenset[int]) -> bytes:
    """The data set without these attributes."""
    return b"".join(data[start:end] for tag, _, start, _, end in elements(data) if tag not in tags)


def only(data: bytes, tags: frozenset[int]) -> bytes:
    """These attributes of a data set, as far as it has them."""
    return b"".join(data[start:end] for tag, _, start, _, end in elements(data) if tag in tags)
