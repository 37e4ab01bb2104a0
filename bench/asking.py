"""Lean C-FIND and C-MOVE: while the clock runs nothing of the answers is parsed but the command; what they hold is
looked at when it has stopped."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from bench.content import Wrong
from bench.data import File
from bench.lean import STATUS, Association, Burst, Command, Target, at_once

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
RELATIONAL = ((STUDY_ROOT_FIND, b"\1"),)  # PS3.4 C.5.1.1
C_FIND, C_MOVE = 0x20, 0x21
COMPLETED, FAILED, WARNING = 0x1021, 0x1022, 0x1023
MOVE_SECONDS_MAX = 600
STUDY_UID, SERIES_UID, SOP_INSTANCE_UID = 0x0020000D, 0x0020000E, 0x00080018

Keys = dict[int, str]


def instances_of_series(study_uid: str, series_uid: str) -> Keys:
    """Keys for every instance of a series, with its number."""
    return {0x00080018: "", 0x00080052: "IMAGE", 0x0020000D: study_uid, 0x0020000E: series_uid, 0x00200013: ""}


def studies_of_patient(patient_id: str) -> Keys:
    """Keys for a patient's studies."""
    return {0x00080020: "", 0x00080052: "STUDY", 0x00081030: "", 0x00100020: patient_id, 0x0020000D: ""}


def series_of_day(day: str, hour: int) -> Keys:
    """The flat question: every series that began in an hour of a day, wherever it is. Needs ``RELATIONAL``."""
    span = f"{hour:02d}0000-{hour:02d}5959"
    return {0x00080021: day, 0x00080031: span, 0x00080052: "SERIES", 0x0020000D: "", 0x0020000E: ""}


def encoded(keys: Keys) -> bytes:
    """An identifier of plain text, Implicit VR Little Endian (PS3.5 7.1.3)."""
    return b"".join(_element(tag, value) for tag, value in sorted(keys.items()))


def find(association: Association, keys: Keys, message_id: int = 1) -> int:
    """Count of matches of one C-FIND; RuntimeError unless it ends in success."""
    count, final = association.ask(
        {0x2: STUDY_ROOT_FIND, 0x100: C_FIND, 0x110: message_id, 0x700: 0, 0x800: 1}, encoded(keys)
    )
    if final[STATUS]:
        raise RuntimeError(f"C-FIND ended with status {final[STATUS]!r}")
    return count


def found_values(association: Association, keys: Keys, tag: int, message_id: int = 1) -> tuple[float, list[str]]:
    """Milliseconds of one C-FIND, and what its answers hold under a tag, in their order; they are read after the clock
    has stopped. RuntimeError unless it ends in success."""
    answers = bytearray()
    command: Command = {0x2: STUDY_ROOT_FIND, 0x100: C_FIND, 0x110: message_id, 0x700: 0, 0x800: 1}
    identifier, begun = encoded(keys), time.perf_counter()
    _, final = association.ask(command, identifier, answers)
    passed = (time.perf_counter() - begun) * 1000
    if final[STATUS]:
        raise RuntimeError(f"no figure: C-FIND ended with status {final[STATUS]!r}")
    return passed, _values(bytes(answers), tag)


def find_times_ms(target: Target, keys: Keys, tag: int, wanted: Collection[str], runs: int) -> list[float]:
    """Milliseconds of each C-FIND after a first one that warms up. RuntimeError unless each time the answers hold the
    wanted values under the tag, each once, and no other."""
    times = []
    with Association(target, STUDY_ROOT_FIND, IMPLICIT_LITTLE, RELATIONAL) as association:
        for run in range(runs + 1):
            passed, found = found_values(association, keys, tag, run + 1)
            check_values(found, wanted)
            times.append(passed)
    return times[1:]


def check_values(found: Collection[str], wanted: Collection[str]) -> None:
    """Raises Wrong unless each wanted value was found once, and no other."""
    if len(found) != len(wanted) or set(found) != set(wanted):
        missing, foreign = len(set(wanted) - set(found)), len(set(found) - set(wanted))
        raise Wrong(f"no figure: {len(found)} found instead of {len(wanted)}; {missing} missing, {foreign} others")


def check_kept(target: Target, files: Iterable[File]) -> None:
    """Raises Wrong unless a C-FIND of each series finds the instances that were sent, each once, and no other."""
    sent: dict[tuple[str, str], list[str]] = {}
    for file in files:
        sent.setdefault((file.study_uid, file.series_uid), []).append(file.sop_instance_uid)
    check_found(target, sent)


def check_found(target: Target, sent: Mapping[tuple[str, str], Collection[str]]) -> None:
    """The same, by study and series UID."""
    with Association(target, STUDY_ROOT_FIND, IMPLICIT_LITTLE) as association:
        for number, (series, uids) in enumerate(sent.items(), 1):
            _, found = found_values(association, instances_of_series(*series), SOP_INSTANCE_UID, number)
            check_values(found, uids)


def move(association: Association, destination: str, study_uid: str, instances: int, message_id: int = 1) -> None:
    """C-MOVE of a study; RuntimeError unless all its instances arrive."""
    _, final = association.ask(
        {0x2: STUDY_ROOT_MOVE, 0x100: C_MOVE, 0x110: message_id, 0x600: destination, 0x700: 0, 0x800: 1},
        encoded({0x00080052: "STUDY", 0x0020000D: study_uid}),
    )
    completed = final.get(COMPLETED)
    if final[STATUS] or completed != instances:
        raise RuntimeError(f"no rate: C-MOVE ended with {final[STATUS]!r}, {completed!r} of {instances} completed")


def move_all(target: Target, studies: Sequence[tuple[str, int]], workers: int) -> Burst:
    """Each worker moves its share of the studies (UID, instances) to a destination of its own, WS1, WS2, ..."""
    associations = [Association(target, STUDY_ROOT_MOVE, IMPLICIT_LITTLE) for _ in range(workers)]
    for association in associations:
        association.socket.settimeout(MOVE_SECONDS_MAX)

    def work(number: int) -> None:
        for at, (study_uid, count) in enumerate(studies[number::workers], 1):
            move(associations[number], f"WS{number + 1}", study_uid, count, at)

    seconds = at_once(associations, [partial(work, number) for number in range(workers)])
    return Burst(sum(count for _, count in studies), seconds)


def _values(answers: bytes, tag: int) -> list[str]:
    """Of data sets one behind the other, in Implicit VR Little Endian without sequences."""
    found, at = [], 0
    while at + 8 <= len(answers):
        here = int.from_bytes(answers[at : at + 2], "little") << 16 | int.from_bytes(answers[at + 2 : at + 4], "little")
        end = at + 8 + int.from_bytes(answers[at + 4 : at + 8], "little")
        if here == tag:
            found.append(answers[at + 8 : end].decode("latin-1").strip(" \0"))
        at = end
    return found


def _element(tag: int, value: str) -> bytes:
    raw = value.encode("ascii")
    raw += (b" " if tag in (0x00080052, 0x00100020) else b"\0") * (len(raw) & 1)
    return (
        (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + len(raw).to_bytes(4, "little") + raw
    )
