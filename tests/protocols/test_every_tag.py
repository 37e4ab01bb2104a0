"""C-FIND by any attribute: private, nested, names, moments; what goes beyond the base (C10, C12, C14). Real engine."""

from collections.abc import Callable

import trio
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find  # type: ignore[attr-defined]

import engine
from tests.protocols.files import ct, part10
from tests.protocols.serving import Served, serving_in

NAMES = ("Müller^Hans", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Smith^Anna Maria")


def instance(number: int) -> bytes:
    made = ct(f"1.2.{number}", f"1.2.{number}.1", f"1.2.{number}.1.1", SpecificCharacterSet="ISO_IR 192")
    made.PatientID, made.PatientName = f"P{number}", NAMES[number]
    made.StudyDate, made.StudyTime, made.TimezoneOffsetFromUTC = f"2024010{number + 1}", "233000", "-0500"
    made.Modality, made.InstanceNumber = "CT", str(number)
    made.AcquisitionDateTime = f"2024010{number + 1}120000.5"
    made.AcquisitionDuration, made.FrameIncrementPointer = number + 1.0, 0x00181060 + number
    block = made.private_block(0x0009, "ACME 1.0", create=True)
    block.add_new(0x01, "LO", f"detector {number}")
    items = []
    for step, modality in ((f"S{number}", "CT"), (f"S{number + 1}", "MR")):
        item = Dataset()
        item.ScheduledProcedureStepID, item.Modality = step, modality
        items.append(item)
    made.RequestAttributesSequence = Sequence(items)
    return part10(made)


def ask(port: int, level: str, change: Callable[[Dataset], None], agreed: bytes = b"") -> tuple[list[str], set[int]]:
    """Study UIDs found, and the statuses of the responses."""
    entity = AE()
    entity.add_requested_context(Find)
    extended = []
    if agreed:
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = Find, agreed
        extended = [item]
    association = entity.associate("127.0.0.1", port, ext_neg=extended)  # type: ignore[arg-type]
    assert association.is_established
    identifier = Dataset()
    identifier.SpecificCharacterSet, identifier.QueryRetrieveLevel = "ISO_IR 192", level
    identifier.StudyInstanceUID = ""
    change(identifier)
    answers = [(status.Status, row) for status, row in association.send_c_find(identifier, Find)]
    association.release()
    return [row.StudyInstanceUID for _, row in answers if row], {status for status, _ in answers}


def private(identifier: Dataset) -> None:
    identifier.private_block(0x0009, "ACME 1.0", create=True).add_new(0x01, "LO", "detector 1")


def of_two_seconds(identifier: Dataset) -> None:
    identifier.AcquisitionDuration = 2.0  # 00 00 00 00 00 00 00 40


def by_pointer(identifier: Dataset) -> None:
    identifier.FrameIncrementPointer = 0x00181061


def other_creator(identifier: Dataset) -> None:
    identifier.private_block(0x0009, "OTHER", create=True).add_new(0x01, "LO", "detector 1")


def in_one_item(step: str, modality: str) -> Callable[[Dataset], None]:
    def change(identifier: Dataset) -> None:
        item = Dataset()
        item.ScheduledProcedureStepID, item.Modality = step, modality
        identifier.RequestAttributesSequence = Sequence([item])

    return change


def keyed(**values: str) -> Callable[[Dataset], None]:
    def change(identifier: Dataset) -> None:
        for keyword, value in values.items():
            setattr(identifier, keyword, value)

    return change


QUESTIONS = (
    ("STUDY", private, b"", ["1.2.1"]),
    ("STUDY", other_creator, b"", []),
    ("STUDY", of_two_seconds, b"", ["1.2.1"]),
    ("STUDY", by_pointer, b"", ["1.2.1"]),
    ("STUDY", in_one_item("S1", "CT"), b"", ["1.2.1"]),
    ("STUDY", in_one_item("S1", "MR"), b"", ["1.2.0"]),
    ("STUDY", in_one_item("S?", "MR"), b"", ["1.2.0", "1.2.1", "1.2.2"]),
    ("STUDY", keyed(PatientName="muller"), b"", ["1.2.0"]),
    ("STUDY", keyed(PatientName="山田*"), b"", ["1.2.1"]),
    ("STUDY", keyed(PatientName="=山田^太郎"), b"", ["1.2.1"]),
    ("STUDY", keyed(PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう"), b"", ["1.2.1"]),
    ("STUDY", keyed(PatientName="maria smi"), b"", []),
    ("STUDY", keyed(PatientName="maria smi"), b"\0\0\1\0", ["1.2.2"]),
    ("STUDY", keyed(AcquisitionDateTime="20240101-20240102115959"), b"", ["1.2.0"]),
    ("STUDY", keyed(StudyDate="20240102", StudyTime="0400-0500"), b"", []),
    ("STUDY", keyed(StudyDate="20240102-20240102", StudyTime="04-05", TimezoneOffsetFromUTC="+0000"),
     b"\0\1\0\1", ["1.2.0"]),
    ("STUDY", keyed(StudyDate="20240101-20240102", StudyTime="2330-2329"), b"\0\1\0\0", ["1.2.0"]),
    ("IMAGE", keyed(PatientID="P2", SOPInstanceUID=""), b"\1\0\0\0", ["1.2.2"]),
)  # fmt: skip


def test_issue_B_every_tag_is_found_by_C_FIND() -> None:
    async def check(served: Served) -> None:
        for level, change, agreed, expected in QUESTIONS:
            found, statuses = await trio.to_thread.run_sync(ask, served.port, level, change, agreed)
            assert sorted(found) == expected, (level, change, agreed)
            assert statuses <= {0xFF00, 0x0000}
        _, statuses = await trio.to_thread.run_sync(ask, served.port, "IMAGE", keyed(PatientID="P2", SOPInstanceUID=""))
        assert statuses == {0xA900}, "relational only when it was agreed"
        found, statuses = await trio.to_thread.run_sync(
            ask, served.port, "STUDY", keyed(NumberOfPatientRelatedStudies="2")
        )
        assert len(found) == 3 and statuses == {0xFF01, 0x0000}

    async def main() -> None:
        async with engine.open("memory://") as archive:
            for number in range(3):
                await archive.store(instance(number))
            await serving_in(check, archive)

    trio.run(main)
