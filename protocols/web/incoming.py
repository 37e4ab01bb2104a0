"""Parts of a store on their way into the intake. It blocks: for threads, one call at a time."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from engine.errors import Invalid, Unavailable
from engine.model import Uids
from protocols.web import multipart
from protocols.web.media_types import media_type_of
from protocols.web.multipart import PartBegin, PartData
from protocols.web.ports import Upload
from protocols.web.store_answer import (
    CANNOT_UNDERSTAND,
    NO_RESOURCES,
    NOT_SUPPORTED,
    OTHER_STUDY,
    Part,
    failure_of,
)

DICOM = "application/dicom"


class Receiver(Protocol):
    """What takes the parts of a request. ``parts``: what became of those that are whole."""

    parts: list[Part]

    def begin(self, headers: Mapping[str, str]) -> None:
        """A part begins."""

    def data(self, piece: bytes | memoryview) -> None:
        """Some of its data; a view of it is only valid during the call."""

    def end(self) -> None:
        """The part is whole."""

    def finish(self) -> None:
        """The request is whole."""

    def close(self) -> None:
        """Whatever happened: nothing unfinished is left."""


class Keeper:
    """Puts instances into the intake, one after another, and writes down what became of each."""

    def __init__(self, upload: Upload, study_uid: str) -> None:
        """``study_uid``: the only study whose instances are wanted; empty: any."""
        self.parts: list[Part] = []
        self._upload = upload
        self._study_uid = study_uid
        self._is_given_up = False

    def begin(self) -> None:
        """An instance begins."""
        self._is_given_up = False

    def write(self, piece: bytes | memoryview) -> None:
        """More of its file. Raises Unavailable as long as nothing was kept: then the whole request is refused."""
        if self._is_given_up:
            return
        try:
            self._upload.write(piece)
        except Invalid as error:
            self.fail(failure_of(error.fault), str(error), self._upload.known)
        except Unavailable as error:
            self._no_room(error)

    def keep(self) -> None:
        """Its file is whole. Raises as ``write``."""
        if self._is_given_up:
            return
        try:
            uids = self._upload.check()
            if self._study_uid and uids.study_uid != self._study_uid:
                self.fail(OTHER_STUDY, "the instance is of another study than that of the URL", uids)
                return
            self.parts.append(Part(uids, self._upload.keep()))
        except Invalid as error:
            self.fail(failure_of(error.fault), str(error), self._upload.known)
        except Unavailable as error:
            self._no_room(error)

    def fail(self, failure: int, sentence: str, uids: Uids | None = None) -> None:
        """It cannot be kept; what still comes of it counts for nothing."""
        self.parts.append(Part(uids or Part().uids, 0, failure, sentence))
        self.drop()

    def drop(self) -> None:
        """Forget the instance that is under way."""
        self._upload.give_up()
        self._is_given_up = True

    def close(self) -> None:
        """No more comes."""
        self._upload.close()

    def _no_room(self, error: Unavailable) -> None:
        if not any(part.lsn for part in self.parts):
            raise error
        self.fail(NO_RESOURCES, "there is no room to keep it: try again later", self._upload.known)


class Instances:
    """A request whose parts are DICOM files (PS3.18 8.7.3.1)."""

    def __init__(self, keeper: Keeper) -> None:
        self.parts = keeper.parts
        self._keeper = keeper

    def begin(self, headers: Mapping[str, str]) -> None:
        """A part begins."""
        self._keeper.begin()
        said = headers.get("content-type", DICOM)
        found = media_type_of(said)
        if found is None or found.name != DICOM:
            self._keeper.fail(NOT_SUPPORTED, f"the part is not of the media type {DICOM}")
        elif headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
            self._keeper.fail(CANNOT_UNDERSTAND, "the part must not be encoded")

    def data(self, piece: bytes | memoryview) -> None:
        """Some of the file."""
        self._keeper.write(piece)

    def end(self) -> None:
        """The file is whole."""
        self._keeper.keep()

    def finish(self) -> None:
        """Each was kept when it was whole."""

    def close(self) -> None:
        """No more comes."""
        self._keeper.close()


class Parted:
    """A multipart body on its way to a receiver."""

    def __init__(self, boundary: bytes, receiver: Receiver) -> None:
        self._reader = multipart.Reader(boundary)
        self._receiver = receiver

    def feed(self, pieces: Sequence[bytes]) -> None:
        """Raises multipart.Malformed, Unavailable, Fenced."""
        for piece in pieces:
            for event in self._reader.feed(piece):
                if isinstance(event, PartData):
                    self._receiver.data(event.data)
                elif isinstance(event, PartBegin):
                    self._receiver.begin(event.headers)
                else:
                    self._receiver.end()

    def finish(self) -> None:
        """The body is whole. Raises as ``feed``."""
        self._reader.close()
        self._receiver.finish()


class Single:
    """A body that is one part."""

    def __init__(self, headers: Mapping[str, str], receiver: Receiver) -> None:
        self._receiver = receiver
        receiver.begin(headers)

    def feed(self, pieces: Sequence[bytes]) -> None:
        """Raises Unavailable, Fenced."""
        for piece in pieces:
            self._receiver.data(piece)

    def finish(self) -> None:
        """The body is whole."""
        self._receiver.end()
        self._receiver.finish()
