"""Questions and answers in the character sets of peers and objects (C11, C12): pynetdicom and findscu, real engine."""

from pathlib import Path

import pytest
import trio
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find  # type: ignore[attr-defined]

import engine
from engine.ports import Peer
from native import dataset
from protocols.character_sets import in_character_set
from tests.protocols.files import ct, part10
from tests.protocols.serving import Served, serving_in

JAPANESE, GERMAN, GREEK = "Yamada^Tarou=山田^太郎=やまだ^たろう", "Müller^Hans", "Διονυσιος"
STORED = (("\\ISO 2022 IR 87", JAPANESE), ("ISO_IR 100", GERMAN), ("ISO_IR 126", GREEK), ("ISO_IR 192", "Ωμέγα=山"))
# Character set of the peer; that of each answer.
ANSWERED = (
    ("", ["\\ISO 2022 IR 87", "ISO_IR 100", "ISO_IR 126", "ISO_IR 192"]),
    ("ISO_IR 192", ["ISO_IR 192"] * 4),
    ("ISO_IR 100", ["ISO_IR 192", "ISO_IR 100", "ISO_IR 192", "ISO_IR 192"]),
    ("\\ISO 2022 IR 87", ["\\ISO 2022 IR 87", "ISO_IR 192", "ISO_IR 192", "ISO_IR 192"]),
    ("GB18030", ["GB18030"] * 4),
)


def instance(number: int, character_set: str, name: str) -> bytes:
    made = ct(f"1.2.{number}", f"1.2.{number}.1", f"1.2.{number}.1.1", PatientID=f"P{number}", StudyDate="20240101")
    made.SpecificCharacterSet = character_set.split("\\")
    made.PatientName = made.StudyDescription = name
    item = Dataset()
    item.ScheduledProcedureStepDescription = name.partition("=")[2] or name
    made.RequestAttributesSequence = Sequence([item])
    return part10(made)


def ask(port: int, title: str, syntax: str, **keys: object) -> list[Dataset]:
    entity = AE(title)
    entity.add_requested_context(Find, syntax)
    association = entity.associate("127.0.0.1", port)
    assert association.is_established
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE" if "SOPInstanceUID" in keys else "STUDY"
    for keyword, value in {"StudyInstanceUID": "", "PatientID": "", **keys}.items():
        setattr(identifier, keyword, value)
    rows = [row for _, row in association.send_c_find(identifier, Find) if row]
    association.release()
    return sorted(rows, key=lambda row: str(row.PatientID))


async def stored(archive: engine.Archive) -> None:
    for number, (character_set, name) in enumerate(STORED):
        await archive.store(instance(number, character_set, name))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
@pytest.mark.parametrize(("character_set", "answered"), ANSWERED)
def test_C11_answers_are_in_the_set_of_the_peer_or_in_UTF_8(
    character_set: str, answered: list[str], syntax: str
) -> None:
    async def check(served: Served) -> None:
        rows = await trio.to_thread.run_sync(
            lambda: ask(served.port, "ASKER", syntax, PatientName="", StudyDescription="", StudyDate="")
        )
        sets = [row.SpecificCharacterSet for row in rows]
        assert [one if isinstance(one, str) else "\\".join(one) for one in sets] == answered
        assert [(str(row.PatientName), row.StudyDescription) for row in rows] == [(name, name) for _, name in STORED]
        plain = await trio.to_thread.run_sync(lambda: ask(served.port, "ASKER", syntax, StudyDate=""))
        assert not any("SpecificCharacterSet" in row for row in plain)
        inner = await trio.to_thread.run_sync(
            lambda: ask(
                served.port, "ASKER", syntax, StudyInstanceUID="1.2.0", SeriesInstanceUID="1.2.0.1", SOPInstanceUID="",
                RequestAttributesSequence=Sequence([]),
            )
        )  # fmt: skip
        item = inner[0].RequestAttributesSequence[0]
        assert item.ScheduledProcedureStepDescription == "山田^太郎=やまだ^たろう"

    async def main() -> None:
        async with engine.open("memory://") as archive:
            await stored(archive)
            await serving_in(check, archive, Peer("ASKER", "127.0.0.1", 104, character_set))

    trio.run(main)


@pytest.mark.parametrize(
    ("character_set", "name", "found"),
    [
        ("\\ISO 2022 IR 87", "=山田*", ["P0"]),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", "=山田^太郎", ["P0"]),
        ("ISO_IR 192", "müller", ["P1"]),
        ("ISO_IR 100", "MÜL*", ["P1"]),
        ("ISO_IR 126", "Διον*", ["P2"]),
        ("GB18030", "山*", ["P0", "P3"]),
    ],
)
def test_C12_questions_are_read_in_their_own_set(character_set: str, name: str, found: list[str]) -> None:
    async def check(served: Served) -> None:
        asked = {"SpecificCharacterSet": character_set.split("\\"), "PatientName": name}
        rows = await trio.to_thread.run_sync(lambda: ask(served.port, "ASKER", "1.2.840.10008.1.2", **asked))
        assert [row.PatientID for row in rows] == found

    async def main() -> None:
        async with engine.open("memory://") as archive:
            await stored(archive)
            await serving_in(check, archive)

    trio.run(main)


def test_C12_a_question_that_names_no_set_is_read_in_that_of_its_peer() -> None:
    async def check(served: Served) -> None:
        for title, count in (("GREEK", 1), ("OTHER", 0)):
            _, output = await served.run(
                "findscu", "-v", "-S", "-aet", title, "127.0.0.1", str(served.port), "-k", "8,52=STUDY", "-k", "20,d",
                "-k", b"10,10=\xc4\xe9\xef\xed*",  # type: ignore[arg-type]
            )  # fmt: skip
            assert output.count("(Pending)") == count, output

    async def main() -> None:
        async with engine.open("memory://") as archive:
            await stored(archive)
            await serving_in(check, archive, Peer("GREEK", "127.0.0.1", 104, "ISO_IR 126"))

    trio.run(main)


def test_C11_objects_that_name_no_set_are_read_in_the_one_of_the_setting(tmp_path: Path) -> None:
    name = dataset.element(0x00100010, "PN", GREEK.encode("iso8859-7"))
    patient_id = dataset.element(0x00100020, "LO", b"P1")
    stored = part10(ct("1.2.1", "1.2.1.1", "1.2.1.1.1", PatientID="P1")).replace(patient_id, name + patient_id)
    assert name in stored

    async def check(served: Served) -> None:
        asked = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Διον*"}
        rows = await trio.to_thread.run_sync(lambda: ask(served.port, "ASKER", "1.2.840.10008.1.2", **asked))
        assert [(str(row.PatientName), row.SpecificCharacterSet) for row in rows] == [(GREEK, "ISO_IR 126")]

    async def nothing(served: Served) -> None:
        asked = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Διον*"}
        assert not await trio.to_thread.run_sync(lambda: ask(served.port, "ASKER", "1.2.840.10008.1.2", **asked))

    async def main() -> None:
        url = str(tmp_path / "archive")
        async with engine.open(url) as archive:
            await archive.store(stored)
            await serving_in(nothing, archive)
        settings = engine.StoreSettings(url=url, character_set="ISO_IR 126")
        async with engine.open(url, settings) as archive:
            await serving_in(nothing, archive)
            await archive.reindex()
            assert not [finding async for finding in archive.verify(deep=True)]
            await serving_in(check, archive)
            [kept] = [instance.file async for instance in archive.fetch(StudyInstanceUID="1.2.1")]
            assert kept.endswith(stored[-100:]) and name in kept, "what is kept is as it came"

    trio.run(main)


def test_items_with_a_set_of_their_own_are_read_by_it() -> None:
    inner = dataset.element(0x00080005, "CS", b"ISO_IR 126") + dataset.element(0x00400007, "LO", b"\xc4\xe9")
    header = dataset.element(0x00080005, "CS", b"ISO_IR 100") + dataset.element(0x00100010, "PN", b"M\xfcller")
    item = b"\xfe\xff\0\xe0" + len(inner).to_bytes(4, "little") + inner
    header += b"\x40\0\x75\x02SQ\0\0" + len(item).to_bytes(4, "little") + item
    whole = in_character_set(header, "ISO_IR 100")
    assert dataset.get(whole, "00080005") == b"ISO_IR 192"
    assert dataset.get(whole, "00400275.00400007") == "Δι".encode()
    assert dataset.get(whole, "00400275.00080005") is None
    assert dataset.get(whole, "00100010").rstrip() == "Müller".encode()  # type: ignore[union-attr]
    plain = dataset.element(0x00100010, "PN", b"Doe ")
    assert in_character_set(plain, "ISO_IR 100") == plain
