"""C-FIND (PS3.4 C.4.1): C09 to C14, C22."""

from contextlib import AbstractAsyncContextManager

from pydicom.dataset import Dataset

from bench.data import CT
from bench.statements.asking import PATIENT_ROOT_FIND, PENDING, STUDY_ROOT_FIND, find, found, keys_of, number, texts
from bench.statements.association import PLAIN, Association
from bench.statements.objects import MR
from bench.statements.statement import DATA, DIMSE, Family, Untried, holds, only, same
from bench.statements.subject import Subject

family = Family()
states = family.states

WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
RELATIONAL, COMBINED, FUZZY = 0, 1, 2  # bytes of the application information (PS3.4 C.5.1.1)
CANCELLED = 0xFE00
# What a response may have beside the keys: character set, level, title, availability, media, time zone.
BESIDE = {0x00080005, 0x00080052, 0x00080054, 0x00080056, 0x00080201, 0x00880130, 0x00880140}


def asking(subject: Subject, extended: bytes = b"") -> AbstractAsyncContextManager[Association]:
    """An association for C-FIND, Study Root."""
    return subject.associate([(STUDY_ROOT_FIND, PLAIN)], extended=[(STUDY_ROOT_FIND, extended)] if extended else [])


async def studies(opened: Association, **keywords: str) -> set[str]:
    """Studies that match."""
    return texts(await found(opened, keys_of("STUDY", **{"StudyInstanceUID": "", **keywords})), "StudyInstanceUID")


@states("C09", needs={DIMSE, DATA})
async def keys_of_every_form(subject: Subject) -> None:
    """Single value, list, wildcard, range and universal matching of studies."""
    made, mark = subject.made, subject.run.mark
    own = f"CONF-{mark}-*"
    first, prior, third, fourth = made.ct[0].study, made.prior.study, made.frames.study, made.pdf.study
    cases: tuple[tuple[dict[str, str], set[str]], ...] = (
        ({"PatientID": f"CONF-{mark}-3"}, {third}),
        ({"PatientName": f"Conformance^Synthetic{mark}"}, {fourth}),
        ({"PatientName": f"Conf*^Synthetic{mark}"}, {fourth}),
        ({"PatientName": f"Conf?rmance^Synthetic{mark}"}, {fourth}),
        ({"PatientID": own, "StudyDate": "20200101-20201231"}, {prior}),
        ({"PatientID": own, "StudyDate": "20240101-"}, {first, third}),
        ({"PatientID": own, "StudyDate": "-20230704"}, {prior, fourth}),
        ({"PatientID": own, "StudyDate": ""}, {first, prior, third, fourth}),
        ({"AccessionNumber": f"A{mark}N1E"}, {first}),
        ({"PatientID": own, "ModalitiesInStudy": "MR"}, {first}),
        ({"StudyInstanceUID": f"{first}\\{prior}"}, {first, prior}),
    )
    async with asking(subject) as opened:
        for keys, expected in cases:
            said = ", ".join(f"{keyword}={value}" for keyword, value in keys.items())
            same(await studies(opened, **keys), expected, said)


@states("C09", needs={DIMSE, DATA})
async def patients(subject: Subject) -> None:
    """Patient Root finds patients."""
    async with subject.associate([(PATIENT_ROOT_FIND, PLAIN)]) as opened:
        keys = keys_of("PATIENT", PatientID=f"CONF-{subject.run.mark}-*", PatientName="")
        rows = await found(opened, keys, PATIENT_ROOT_FIND)
        same(texts(rows, "PatientID"), {f"CONF-{subject.run.mark}-{at}" for at in (1, 3, 4)}, "patients")
        same(len(rows), 3, "answers for three patients")


@states("C10", needs={DIMSE, DATA})
async def hierarchical_search(subject: Subject) -> None:
    """Series of a study, images of a series, by the unique keys of the levels above."""
    first = subject.made.ct[0]
    async with asking(subject) as opened:
        rows = await found(opened, keys_of("SERIES", StudyInstanceUID=first.study, SeriesInstanceUID=""))
        same(texts(rows, "SeriesInstanceUID"), {first.series, subject.made.mr[0].series}, "series of the study")
        above = {"StudyInstanceUID": first.study, "SeriesInstanceUID": first.series}
        rows = await found(opened, keys_of("IMAGE", **above, SOPInstanceUID=""))
        same(texts(rows, "SOPInstanceUID"), {one.sop for one in subject.made.ct}, "images of the series")


def _agreed(opened: Association, byte: int, what: str) -> None:
    """Untried unless the peer has agreed."""
    said = dict(opened.user.extended).get(STUDY_ROOT_FIND, b"")
    if len(said) <= byte or said[byte] != 1:
        raise Untried(f"{what} is not agreed (extended negotiation answers {said.hex(' ') or 'nothing'})")


@states("C10", needs={DIMSE, DATA})
async def relational_search(subject: Subject) -> None:
    """When agreed: images and series without the keys of the levels above."""
    first = subject.made.ct[0]
    async with asking(subject, b"\1") as opened:
        _agreed(opened, RELATIONAL, "relational search")
        rows = await found(opened, keys_of("SERIES", SeriesInstanceUID=first.series))
        same(texts(rows, "SeriesInstanceUID"), {first.series}, "series by its UID alone")
        rows = await found(opened, keys_of("IMAGE", SOPInstanceUID=first.sop))
        same(texts(rows, "SOPInstanceUID"), {first.sop}, "image by its UID alone")


@states("C10", needs={DIMSE, DATA})
async def combined_date_and_time(subject: Subject) -> None:
    """When agreed: a range of dates and one of times are one range of moments."""
    keys = {"PatientID": f"CONF-{subject.run.mark}-*", "StudyDate": "20240109-20240111", "StudyTime": "120000-080000"}
    async with asking(subject, b"\0\1") as opened:
        _agreed(opened, COMBINED, "combined date and time matching")
        same(await studies(opened, **keys), {subject.made.ct[0].study}, "from the 9th, 12:00, to the 11th, 8:00")


@states("C10", needs={DIMSE, DATA})
async def fuzzy_search(subject: Subject) -> None:
    """When agreed: a name that is asked fuzzily finds at least whom it names."""
    async with asking(subject, b"\0\0\1") as opened:
        _agreed(opened, FUZZY, "fuzzy matching")
        got = await studies(opened, PatientName=f"conformance^synthetic{subject.run.mark}")
        holds(subject.made.pdf.study in got, "the patient is not found")


@states("C11", needs={DIMSE, DATA})
async def responses_hold_what_was_asked(subject: Subject) -> None:
    """Responses hold the requested keys, the level and the retrieve AE title, and nothing else."""
    keys = keys_of("STUDY", StudyInstanceUID=subject.made.ct[0].study, StudyDate="", PatientID="", AccessionNumber="")
    async with asking(subject) as opened:
        row = only(await found(opened, keys), "answers for one study")
    asked, got = {int(one.tag) for one in keys}, {int(one.tag) for one in row}
    holds(not asked - got - BESIDE, f"left out: {_tags(asked - got - BESIDE)}")
    holds(not got - asked - BESIDE, f"not asked: {_tags(got - asked - BESIDE)}")
    same(str(row.get("QueryRetrieveLevel", "")).strip(), "STUDY", "QueryRetrieveLevel")
    holds(row.get("RetrieveAETitle") or row.get("StorageMediaFileSetID"), "no RetrieveAETitle")


def _tags(tags: set[int]) -> str:
    return ", ".join(f"{tag:08X}" for tag in sorted(tags))


@states("C11", needs={DIMSE, DATA})
async def responses_name_their_characters(subject: Subject) -> None:
    """A response with letters beyond ASCII names its character set, and reads right in it."""
    for one, expected in ((subject.made.ct[0], "Müller"), (subject.made.frames, "山田")):
        async with asking(subject) as opened:
            row = only(await found(opened, keys_of("STUDY", StudyInstanceUID=one.study, PatientName="")))
        holds(row.get("SpecificCharacterSet"), f"{expected}: no SpecificCharacterSet")
        row.decode()
        holds(expected in str(row.PatientName), f"{row.PatientName!r} where {expected} is expected")


@states("C12", needs={DIMSE, DATA})
async def case_and_accents(subject: Subject) -> None:
    """Müller, müller and MULLER find Müller."""
    expected = {subject.made.ct[0].study, subject.made.prior.study}
    async with asking(subject) as opened:
        for name in ("Müller", "müller", "MULLER"):
            same(await studies(opened, PatientName=f"{name}^Synthetic{subject.run.mark}"), expected, name)


@states("C12", needs={DIMSE, DATA})
async def component_groups(subject: Subject) -> None:
    """Ideographic and phonetic groups of a name match group by group."""
    mark = subject.run.mark
    async with asking(subject) as opened:
        for name in (f"=山田^太郎{mark}", f"==やまだ^たろう{mark}", f"Yamada^Tarou{mark}=山田*"):
            same(await studies(opened, PatientName=name), {subject.made.frames.study}, name)
        same(await studies(opened, PatientName=f"Yamada^Tarou{mark}=田中*"), set(), "another ideographic group")


@states("C13", needs={DIMSE, DATA})
async def computed_keys(subject: Subject) -> None:
    """Numbers of related series and instances, modalities and SOP classes in a study."""
    first = subject.made.ct[0]
    async with asking(subject) as opened:
        asked = (
            "NumberOfStudyRelatedSeries",
            "NumberOfStudyRelatedInstances",
            "ModalitiesInStudy",
            "SOPClassesInStudy",
        )
        row = only(await found(opened, keys_of("STUDY", StudyInstanceUID=first.study, **dict.fromkeys(asked, ""))))
        same([number(row, asked[0]), number(row, asked[1])], [2, 5], "numbers of series and instances")
        same(set(row.get("ModalitiesInStudy") or ()), {"CT", "MR"}, "ModalitiesInStudy")
        same({str(one) for one in row.get("SOPClassesInStudy") or ()}, {CT, MR}, "SOPClassesInStudy")
        above = {"StudyInstanceUID": first.study, "SeriesInstanceUID": first.series}
        row = only(await found(opened, keys_of("SERIES", **above, NumberOfSeriesRelatedInstances="")))
        same(number(row, "NumberOfSeriesRelatedInstances"), 3, "NumberOfSeriesRelatedInstances")


def _with_private(keys: Dataset) -> Dataset:
    keys.private_block(0x0009, "CONFORMANCE 9", create=True).add_new(1, "LO", "")
    return keys


@states("C14", needs={DIMSE, DATA})
async def optional_keys(subject: Subject) -> None:
    """Keys that are not supported, private ones too, drop no match: FF00 or FF01."""
    study = subject.made.ct[0].study
    keys = _with_private(keys_of("STUDY", StudyInstanceUID=study, AcquisitionContrast="", TableHeight=""))
    async with asking(subject) as opened:
        answer = await find(opened, keys)
    same(f"{answer.final:04X}", "0000", "the last status")
    same(texts(answer.rows, "StudyInstanceUID"), {study}, "studies")
    holds(set(answer.statuses) <= set(PENDING), f"statuses {answer.statuses}")


@states("C14", needs={DIMSE, DATA})
async def cancelling(subject: Subject) -> None:
    """C-CANCEL ends a search with FE00, and the association goes on."""
    async with asking(subject) as opened:
        answer = await find(opened, keys_of("STUDY", StudyInstanceUID=""), is_cancelled=True)
        holds(answer.final in (0, CANCELLED), f"the last status is {answer.final:04X}")
        same(await studies(opened, StudyInstanceUID=subject.made.ct[0].study), {subject.made.ct[0].study}, "afterwards")
    if answer.final == 0:
        raise Untried(f"it had given all {len(answer.rows)} answers before it saw C-CANCEL")


@states("C22", needs={DIMSE})
async def worklist(subject: Subject) -> None:
    """If a modality worklist is offered: a station that has nothing to do gets an empty list."""
    step = Dataset()
    step.ScheduledStationAETitle, step.Modality, step.ScheduledProcedureStepStartDate = "NOSUCHSTATION", "CT", ""
    keys = Dataset()
    keys.PatientName, keys.ScheduledProcedureStepSequence = "", [step]
    async with subject.associate([(WORKLIST_FIND, PLAIN)]) as opened:
        if opened.contexts[1][1]:
            raise Untried("a modality worklist is not offered")
        answer = await find(opened, keys, WORKLIST_FIND)
        same((answer.final, len(answer.rows)), (0, 0), "status and number of items")
