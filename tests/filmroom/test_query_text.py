"""A query as people type it."""

import pytest

from engine import Invalid, Key, Level
from filmroom.query_text import parse


@pytest.mark.parametrize(
    ("words", "level", "keys"),
    [
        ([], Level.STUDY, ()),
        (["level=series"], Level.SERIES, ()),
        (["level=IMAGE"], Level.INSTANCE, ()),
        (["PatientID=4711"], Level.STUDY, (Key("00100020", ("4711",)),)),
        (["00100020=4711", "level=instance"], Level.INSTANCE, (Key("00100020", ("4711",)),)),
        (["PatientName="], Level.STUDY, (Key("00100010"),)),
        (["StudyDescription=a=b"], Level.STUDY, (Key("00081030", ("a=b",)),)),
        (["StudyInstanceUID=1.2\\1.3"], Level.STUDY, (Key("0020000D", ("1.2", "1.3")),)),
        (["00400275.00400007=x"], Level.STUDY, (Key("00400275.00400007", ("x",)),)),
        (
            ["RequestAttributesSequence.ScheduledProcedureStepDescription=x"],
            Level.STUDY,
            (Key("00400275.00400007", ("x",)),),
        ),
    ],
)
def test_words_become_a_query(words: list[str], level: Level, keys: tuple[Key, ...]) -> None:
    query = parse(words)
    assert (query.level, query.keys) == (level, keys)


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (["SeriesInstanceUID=1.2"], Level.SERIES),
        (["SOPInstanceUID=1.2"], Level.INSTANCE),
        (["SOPInstanceUID=1.2", "SeriesInstanceUID=1.3", "StudyInstanceUID=1.4"], Level.INSTANCE),
        (["level=instance", "SeriesInstanceUID=1.2"], Level.INSTANCE),
        (["SOPInstanceUID="], Level.STUDY),
    ],
)
def test_the_level_is_that_of_the_lowest_uid_that_chooses(words: list[str], level: Level) -> None:
    assert parse(words).level == level


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["level=study", "SeriesInstanceUID=1.2"], "ask for level series"),
        (["level=series", "SOPInstanceUID=1.2"], "ask for level instance"),
        (["level=study", "level=series"], "twice"),
        (["patientname=DOE"], "did you mean PatientName?"),
        (["PatientNme=DOE"], "did you mean PatientName?"),
        (["Quark=DOE"], "give a DICOM keyword"),
    ],
)
def test_a_refusal_says_what_to_type(words: list[str], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(words)
    assert said in str(refused.value)


def test_order_and_limit() -> None:
    query = parse([], limit=3, sort=["-StudyDate"])
    assert (query.limit, query.sort) == (3, ("-00080020",))


@pytest.mark.parametrize(
    "words", [["PatientID"], ["=1"], ["level=room"], ["NoSuchKeyword=1"], ["PatientID=1", "PatientID=2"]]
)
def test_what_cannot_be_asked_is_refused(words: list[str]) -> None:
    with pytest.raises(Invalid):
        parse(words)


def test_limit_is_positive() -> None:
    with pytest.raises(Invalid):
        parse([], limit=0)
