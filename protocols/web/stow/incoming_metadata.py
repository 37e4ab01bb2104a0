"""Instances that come as metadata and bulk data (PS3.18 8.7.3.2, 8.7.3.3). It blocks: for threads.

The metadata comes first; values that it names by URI come as parts with that Content-Location, in any order. They are
looked for among the parts alone: no URI of a request is ever fetched.
"""

from collections.abc import Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

import msgspec

from engine.errors import Invalid, Unavailable
from engine.model import Uids
from native.body import EVENT_DATA, EVENT_HEAD, EVENT_PART
from native.canonical import EXPLICIT, canonical_head
from protocols.web.forms import native_xml
from protocols.web.forms.json_dataset import Pieces, Unsound, pieces_of
from protocols.web.forms.media_types import media_type_of
from protocols.web.forms.multipart import headers_of
from protocols.web.forms.xml_dataset import model_of
from protocols.web.stow.incoming import Incoming
from protocols.web.stow.keeper import Keeper
from protocols.web.stow.store_answer import CANNOT_UNDERSTAND, NO_UIDS, Part

JSON: Final = "application/dicom+json"
METADATA_TYPES: Final = (JSON, native_xml.MEDIA_TYPE)
BULK_TYPE: Final = "application/octet-stream"
METADATA_BYTES_MAX: Final = 32 << 20  # of one request: ten times a large study's
BULK_BYTES_MAX: Final = 64 << 30  # of one request; it waits in files until all has come
IN_MEMORY_BYTES_MAX: Final = 4 << 20  # what is more waits in a file without a name
COPY_BYTES: Final = 1 << 20
_DECODER: Final = msgspec.json.Decoder(float_hook=str)  # decimal strings keep their digits


class Described(Incoming):
    """Takes the parts, and builds the instances when all are there."""

    def __init__(self, keeper: Keeper, boundary: bytes, length: int, bytes_max: int) -> None:
        super().__init__(None, boundary, length, bytes_max, "")
        self._keeper = keeper
        self._models: list[Any] = []
        self._bulk: dict[str, tuple[int, int]] = {}  # by its location: where it begins and how long it is
        self._waiting: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES_MAX)  # noqa: SIM115
        self._begun_at = 0
        self._media_type = ""
        self._location = ""
        self._metadata = bytearray()

    def tell(self, event: int) -> bool:
        """A part begins, brings data, ends. Raises Invalid, Unavailable, Fenced."""
        if event == EVENT_HEAD:
            self._begin(headers_of(self.body.head))
            self.body.judge(0)
        elif event == EVENT_DATA:
            self._take(self.body.take_data())
        elif event == EVENT_PART:
            self._end()
        return event in (EVENT_HEAD, EVENT_DATA, EVENT_PART)

    def _begin(self, headers: Mapping[str, str]) -> None:
        """One without a Content-Type is metadata if it has no location."""
        self._location = headers.get("content-location", "")
        found = media_type_of(headers.get("content-type", BULK_TYPE if self._location else JSON))
        self._media_type = found.name if found is not None else ""
        self._metadata.clear()
        self._begun_at = self._waiting.tell()

    def _take(self, piece: bytes) -> None:
        """Raises Invalid for more than may wait here, Unavailable when the disk is full."""
        if self._media_type not in METADATA_TYPES:
            if self._waiting.tell() + len(piece) > BULK_BYTES_MAX:
                raise Invalid(f"the parts of the request hold more than {BULK_BYTES_MAX} bytes")
            try:
                self._waiting.write(piece)
            except OSError:
                raise Unavailable("there is no room for the parts of the request") from None
            return
        self._metadata += piece
        if len(self._metadata) > METADATA_BYTES_MAX:
            raise Invalid(f"the metadata of the request is larger than {METADATA_BYTES_MAX} bytes")

    def _end(self) -> None:
        if self._media_type in METADATA_TYPES:
            self._end_metadata()
        elif self._location and self._media_type == BULK_TYPE:
            self._bulk[self._location] = (self._begun_at, self._waiting.tell() - self._begun_at)

    def settled(self) -> list[Part]:
        """The instances are made, and kept."""
        for model in self._models:
            self._keeper.begin()
            try:
                self._keep(model)
            except Unsound as error:
                self._keeper.fail(CANNOT_UNDERSTAND, str(error), _uids_of(model))
        return self._keeper.parts

    def close(self) -> None:
        """Nothing is left of the parts."""
        super().close()
        self._waiting.close()
        self._keeper.close()

    def _end_metadata(self) -> None:
        try:
            if self._media_type == native_xml.MEDIA_TYPE:
                self._models.append(model_of(bytes(self._metadata)))
                return
            said = _DECODER.decode(self._metadata)
            self._models += said if isinstance(said, list) else [said]
        except Unsound as error:
            self._keeper.fail(CANNOT_UNDERSTAND, str(error))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._keeper.fail(CANNOT_UNDERSTAND, "the metadata is no sound JSON")

    def _keep(self, model: Any) -> None:
        pieces: Pieces = pieces_of(model, lambda uri: self._bulk[uri][1] if uri in self._bulk else None)
        uids = _uids_of(model)
        try:
            self._keeper.write(canonical_head(uids.sop_class_uid, uids.sop_instance_uid, EXPLICIT))
        except ValueError:
            raise Unsound("a UID is not one") from None
        for piece in pieces:
            if isinstance(piece, bytes):
                self._keeper.write(piece)
                continue
            at, left = self._bulk[piece]
            self._waiting.seek(at)
            while left and (block := self._waiting.read(min(left, COPY_BYTES))):
                self._keeper.write(block)
                left -= len(block)
        self._keeper.keep()


def _uids_of(model: Any) -> Uids:
    if not isinstance(model, dict):
        return NO_UIDS
    return Uids(*(_uid(model.get(tag)) for tag in ("00080016", "00080018", "0020000D", "0020000E")))


def _uid(said: Any) -> str:
    values = said.get("Value") if isinstance(said, dict) else None
    first = values[0] if isinstance(values, list) and values else ""
    is_one = isinstance(first, str) and len(first) <= 64 and set(first) <= set("0123456789.")
    return first if is_one else ""
