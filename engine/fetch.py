"""Out: object bytes ahead of their reader, in windows bounded by bytes and count."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec
import xxhash

from engine.errors import Corrupt, Missing
from engine.keep.copying import read_range
from engine.keep.intake import Intake
from engine.keep.objects import Near
from engine.keep.paths import object_key
from engine.limits import LIMITS
from engine.model import FileRange, Instance
from native.dataset import canonical_head
from native.opening import close_files

T = TypeVar("T")
ADDRESS_DIGITS: Final = 32  # of an object's name


class Fetched(msgspec.Struct, frozen=True):
    """One object on its way out: where its bytes are, and where its data set begins in them.

    ``is_pinned``: they are in a segment of the intake, which is not reused before the window is closed.
    """

    instance: Instance
    source: FileRange | bytes
    dataset_offset: int
    is_pinned: bool = False


class Window:
    """Open sources of one stretch of instances; ``close`` gives them back. Missing objects are named apart."""

    def __init__(self, intake: Intake) -> None:
        self.objects: list[Fetched] = []
        self.lost: list[Instance] = []
        self._intake = intake
        self._pinned: list[tuple[int, FileRange]] = []
        self._opened: list[int] = []

    def hold(self, source: FileRange) -> None:
        """An object's own file, which the window closes."""
        self._opened.append(source.fd)

    def hold_pinned(self, lsn: int, source: FileRange) -> None:
        """A record that stays in the intake until the window is closed."""
        self._pinned.append((lsn, source))

    def close(self) -> None:
        opened, self._opened = self._opened, []
        pinned, self._pinned = self._pinned, []
        close_files(opened)
        for lsn, source in pinned:
            self._intake.unpin(lsn, source)


class Fetch:
    """Opens windows over intake (what is not spilled yet) and objects."""

    def __init__(self, intake: Intake, near: Near, tenant: str, writer: str) -> None:
        self._intake = intake
        self._near = near
        self._tenant = tenant
        self._writer = writer

    def windows(self, instances: Sequence[Instance]) -> Iterator[Sequence[Instance]]:
        """Cut a list of instances into stretches that fit a window; a larger object stands alone."""
        start = size = 0
        for at, instance in enumerate(instances):
            full = (
                size + instance.size_bytes > LIMITS.fetch_window_bytes_max
                or at - start >= LIMITS.fetch_window_count_max
            )
            if full and at > start:
                yield instances[start:at]
                start, size = at, 0
            size += instance.size_bytes
        if start < len(instances):
            yield instances[start:]

    def open(self, instances: Sequence[Instance]) -> Window:
        """Open every object of a window. Blocking: call it in a thread."""
        window = Window(self._intake)
        try:
            pinned = [self._pinned(instance, window) for instance in instances]
            kept = [instance for instance, pin in zip(instances, pinned, strict=True) if pin is None]
            opened = iter(self._opened(kept, window))
            for instance, pin in zip(instances, pinned, strict=True):
                source = pin or next(opened) or self._looked_for(instance, window)
                if source is None:
                    window.lost.append(instance)
                else:
                    window.objects.append(Fetched(instance, source, dataset_offset(instance), pin is not None))
        except BaseException:
            window.close()
            raise
        return window

    def at_once(self, instance: Instance, span: tuple[int, int], around: tuple[bytes, bytes]) -> bytes | None:
        """See ``Archive.at_once``."""
        key = object_key(self._tenant, instance.key)
        return self._near.glance(key, instance.key[:ADDRESS_DIGITS], instance.size_bytes, span, around)

    def _pinned(self, instance: Instance, window: Window) -> FileRange | None:
        pinned = self._intake.pin(instance.lsn) if instance.writer == self._writer else None
        if pinned is not None:
            window.hold_pinned(instance.lsn, pinned)
        return pinned

    def _opened(self, instances: Sequence[Instance], window: Window) -> list[FileRange | None]:
        opened = self._near.open_ranges([object_key(self._tenant, instance.key) for instance in instances])
        for source in opened:
            if source is not None:
                window.hold(source)
        return opened

    def _looked_for(self, instance: Instance, window: Window) -> FileRange | bytes | None:
        """By itself: in a store without files, or to say what keeps it from being opened."""
        key = object_key(self._tenant, instance.key)
        try:
            source = self._near.open_range(key)
            if source is None:
                return self._near.get(key)
        except Missing:
            return None
        window.hold(source)
        return source


def used(fetch: Fetch, instance: Instance, use: Callable[[Window], T]) -> T:
    """Open one object and make something of it, which may keep the window."""
    window = fetch.open([instance])
    try:
        return use(window)
    except BaseException:
        window.close()
        raise


def dataset_offset(instance: Instance) -> int:
    """Length of the canonical head, which the three UIDs determine."""
    return len(canonical_head(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid))


def read_checked(fetched: Fetched) -> bytes:
    """The whole Part-10 file, a preamble given back, checked against its key. Raises Corrupt."""
    return b"".join(checked_pieces(fetched))


def checked_pieces(fetched: Fetched) -> Iterator[bytes]:
    """The same piece by piece. Raises Corrupt behind the last one: until then nothing may be made of them."""
    instance, preamble = fetched.instance, fetched.instance.preamble
    seen = xxhash.xxh3_128()
    for piece in _pieces(fetched.source):
        seen.update(piece)
        yield preamble + piece[len(preamble) :]
        preamble = b""
    if seen.hexdigest() != instance.key[:ADDRESS_DIGITS]:
        raise Corrupt(f"object {instance.key} is not what was written")


def _pieces(source: FileRange | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    for at in range(0, source.length, LIMITS.read_bytes):
        yield read_range(source.fd, source.offset + at, min(LIMITS.read_bytes, source.length - at))
