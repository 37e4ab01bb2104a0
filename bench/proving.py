"""What a server has kept is read back when no clock runs: every study goes by C-MOVE to sinks that hash, and is held
against what was sent."""

from collections.abc import Iterable, Sequence

from bench.asking import IMPLICIT_LITTLE, MOVE_SECONDS_MAX, STUDY_ROOT_MOVE, check_kept, move
from bench.content import Truth
from bench.data import File
from bench.lean import Association, Target
from bench.stand import Sinks

MESSAGE_IDS = 65535


def prove(target: Target, sinks: Sinks, files: Sequence[File]) -> None:
    """Raises Wrong unless all of the files are found, and come back whole and unaltered, each once."""
    truth = Truth()
    truth.add(files)
    check_kept(target, files)
    prove_studies(target, sinks, truth, truth.studies)


def prove_studies(target: Target, sinks: Sinks, truth: Truth, studies: Iterable[str]) -> None:
    """The same of studies that ``truth`` knows: they are moved, not looked for."""
    sinks.taken()  # what somebody may have left
    wanted: list[str] = []
    with Association(target, STUDY_ROOT_MOVE, IMPLICIT_LITTLE) as association:
        association.socket.settimeout(MOVE_SECONDS_MAX)
        for number, study in enumerate(studies):
            uids = truth.of_study(study)
            move(association, sinks.first, study, len(uids), number % MESSAGE_IDS + 1)
            wanted += uids
    truth.check(sinks.taken(), wanted)
