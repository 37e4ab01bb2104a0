"""What was generated, by its content digest: what comes back is held against it.

The digest is that of ``native.digest``: equal for every encoding of the same content, so that a server may write its
sequences in another form or send another transfer syntax without a loss, and different for anything else.
"""

from collections.abc import Iterable

from msgspec import Struct

from bench.data import File
from native.dataset import Malformed, describe


class Wrong(RuntimeError):
    """What came back is not what was sent: no figure is given."""


class Place(Struct, frozen=True):
    """Where an instance belongs, and its content."""

    study_uid: str
    series_uid: str
    digest: bytes
    size: int


class Truth:
    """Every instance that was generated for a stand; 200 bytes of memory each, whatever their pixels."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self._studies: dict[str, list[str]] = {}
        self._series: dict[tuple[str, str], list[str]] = {}

    def add(self, files: Iterable[File]) -> None:
        """Files that were made."""
        for file in files:
            uid = file.sop_instance_uid
            self.places[uid] = Place(file.study_uid, file.series_uid, digest_of(file.data), len(file.data))
            self._studies.setdefault(file.study_uid, []).append(uid)
            self._series.setdefault((file.study_uid, file.series_uid), []).append(uid)

    @property
    def studies(self) -> list[str]:
        return list(self._studies)

    @property
    def series(self) -> list[tuple[str, str]]:
        return list(self._series)

    def of_study(self, study_uid: str) -> list[str]:
        """SOP Instance UIDs."""
        return self._studies[study_uid]

    def of_series(self, study_uid: str, series_uid: str) -> list[str]:
        """SOP Instance UIDs."""
        return self._series[study_uid, series_uid]

    def check(self, taken: Iterable[tuple[str, bytes]], wanted: Iterable[str], allowed: Iterable[str] = ()) -> None:
        """Raises Wrong unless each wanted instance came exactly once, whole and unaltered, and nothing else came;
        those that are ``allowed`` may have come, once each, and unaltered too."""
        left, may = set(wanted), set(allowed)
        may -= left
        count = len(left)
        altered = foreign = 0
        for uid, digest in taken:
            place = self.places.get(uid)
            if place is None or not (uid in left or uid in may):
                foreign += 1
                continue
            left.discard(uid)
            may.discard(uid)
            altered += place.digest != digest
        if altered or foreign or left:
            raise Wrong(
                f"no figure: of {count} instances {len(left)} did not come, {altered} came altered, "
                f"{foreign} more that were not asked for or came twice"
            )


def digest_of(file: bytes | bytearray) -> bytes:
    """Content digest of a Part-10 file; of bytes that are none it is empty, and equal to nothing that was made."""
    try:
        return describe(file).content_digest
    except Malformed:
        return b""
