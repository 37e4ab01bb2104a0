"""What a workitem's attributes must be when it is created, changed and ended: PS3.4 Table CC.2.5-3, as data.

Columns: attribute (in sequences: the way to it), create, change, final.

Create and change: ``1`` there with a value, ``2`` there (what is left out is taken for empty), ``3`` free, ``0`` empty,
``-`` not allowed; ``1?`` if it is there, with a value. Within a sequence they hold for each of its items. Conditions
that only a person can judge (``1C``, ``2C``) are free here.

Final: ``R`` needs a value to be COMPLETED or CANCELED, ``P`` to be COMPLETED, ``X`` to be CANCELED, ``O`` none.
"""

from typing import Final

import msgspec

from native.dictionary import tag_of


class Rule(msgspec.Struct, frozen=True):
    """One row. ``way``: tags from the top down."""

    way: tuple[int, ...]
    create: str
    change: str
    final: str


_ROWS: Final = """
TransactionUID                                              0 -  O
SOPClassUID                                                 3 -  R
SOPInstanceUID                                              3 -  R
ScheduledProcedureStepPriority                              1 1? R
ScheduledProcedureStepModificationDateTime                  3 3  R
ProcedureStepLabel                                          1 1? O
WorklistLabel                                               2 1? O
ScheduledProcessingParametersSequence                       2 3  O
ScheduledStationNameCodeSequence                            2 3  O
ScheduledStationClassCodeSequence                           2 3  O
ScheduledStationGeographicLocationCodeSequence              2 3  O
ScheduledHumanPerformersSequence                            3 3  O
ScheduledHumanPerformersSequence.HumanPerformerCodeSequence 1 1  O
ScheduledHumanPerformersSequence.HumanPerformerName         1 1  O
ScheduledHumanPerformersSequence.HumanPerformerOrganization 1 1  O
ScheduledProcedureStepStartDateTime                         1 1? R
ExpectedCompletionDateTime                                  3 1? O
ScheduledWorkitemCodeSequence                               2 1? O
CommentsOnTheScheduledProcedureStep                         2 1? O
InputReadinessState                                         1 1? R
InputInformationSequence                                    2 3  O
PatientName                                                 2 -  O
PatientID                                                   3 -  O
IssuerOfPatientID                                           2 -  O
IssuerOfPatientIDQualifiersSequence                         2 -  O
OtherPatientIDsSequence                                     2 3  O
OtherPatientIDsSequence.PatientID                           1 1  O
PatientBirthDate                                            2 -  O
PatientSex                                                  2 -  O
AdmissionID                                                 2 -  O
IssuerOfAdmissionIDSequence                                 2 -  O
AdmittingDiagnosesDescription                               2 -  O
AdmittingDiagnosesCodeSequence                              2 -  O
ReferencedRequestSequence                                   2 -  O
ReferencedRequestSequence.StudyInstanceUID                  1 -  O
ReplacedProcedureStepSequence                               3 -  O
ReplacedProcedureStepSequence.ReferencedSOPClassUID         1 -  O
ReplacedProcedureStepSequence.ReferencedSOPInstanceUID      1 -  O
ProcedureStepState                                          3 -  R
ProcedureStepProgressInformationSequence                    0 3  X
ProcedureStepProgressInformationSequence.ProcedureStepCancellationDateTime               - 1? X
ProcedureStepProgressInformationSequence.ProcedureStepDiscontinuationReasonCodeSequence  - 1? X
UnifiedProcedureStepPerformedProcedureSequence              0 3  P
UnifiedProcedureStepPerformedProcedureSequence.PerformedStationNameCodeSequence          - 3  P
UnifiedProcedureStepPerformedProcedureSequence.PerformedProcedureStepStartDateTime       - 1? P
UnifiedProcedureStepPerformedProcedureSequence.PerformedWorkitemCodeSequence             - 1? P
UnifiedProcedureStepPerformedProcedureSequence.PerformedProcedureStepEndDateTime         - 1? P
UnifiedProcedureStepPerformedProcedureSequence.OutputInformationSequence                 - 3  P
"""
# Sequences of codes (PS3.4 Table CC.2.5-2a): each item has a meaning, and one of three values.
_CODED: Final = (
    "ScheduledStationNameCodeSequence ScheduledStationClassCodeSequence ScheduledStationGeographicLocationCodeSequence "
    "ScheduledWorkitemCodeSequence AdmittingDiagnosesCodeSequence "
    "ProcedureStepProgressInformationSequence.ProcedureStepDiscontinuationReasonCodeSequence "
    "UnifiedProcedureStepPerformedProcedureSequence.PerformedStationNameCodeSequence "
    "UnifiedProcedureStepPerformedProcedureSequence.PerformedWorkitemCodeSequence"
)
# What must be one of these values (PS3.3 C.30.1, C.30.2).
ENUMERATED: Final[dict[int, frozenset[str]]] = {
    0x00741200: frozenset(("HIGH", "MEDIUM", "LOW")),
    0x00404041: frozenset(("READY", "INCOMPLETE", "UNAVAILABLE")),
}


def _way(names: str) -> tuple[int, ...]:
    tags = tuple(tag_of(name) for name in names.split("."))
    assert all(tag is not None for tag in tags), names
    return tuple(tag for tag in tags if tag is not None)


RULES: Final = tuple(
    Rule(_way(names), create, change, final)
    for names, create, change, final in (row.split() for row in _ROWS.strip().splitlines())
)
# What rows of a search always show (Return Key Type 1 and 2), as far as a workitem has it.
RETURNED: Final = frozenset(rule.way[0] for rule in RULES) | {0x00080005}
CODED: Final = frozenset(map(_way, _CODED.split()))
CODE_VALUES: Final = (0x00080100, 0x00080119, 0x00080120)
CODE_MEANING: Final = 0x00080104
