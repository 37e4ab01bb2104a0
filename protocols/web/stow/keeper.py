"""Files that are made here, of what a store described, on their way into the intake. It blocks: for threads."""

from engine.errors import Invalid, Unavailable
from engine.model import Uids
from protocols.web.ports import Upload
from protocols.web.stow.store_answer import IS_OF_OTHER_STUDY, NO_RESOURCES, OTHER_STUDY, Part, failure_of


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
                self.fail(OTHER_STUDY, IS_OF_OTHER_STUDY, uids)
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
