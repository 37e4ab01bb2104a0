"""What C-FIND answers of the optional kind (C09, C13, C14): universal keys, issuers, counts, totals that hold still."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind as PatientFind,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyFind,
)

import engine
from engine.model import Found, Query
from native import dataset
from protocols.dimse import commands
from protocols.dimse.exchange import Exchange
from protocols.dimse.extended import Options
from protocols.dimse.outbound import Outbound
from protocols.dimse.services import find
from protocols.dimse.settings import DimseSettings
from protocols.dimse.site import Site
from protocols.dimse.status import Status
from protocols.transcode import Transcoder
from tests.protocols.files import ct, part10
from tests.protocols.serving import EXPLICIT, Served, serving_in
from tests.protocols.small_archive import SmallPeers

# PatientID, issuer, study, series, instances: P1 of two issuers is two patients.
KEPT = (("P1", "A", 1, 1, 2), ("P1", "A", 1, 2, 1), ("P1", "A", 2, 1, 1), ("P1", "B", 3, 1, 3), ("P2", "", 4, 1, 1))


async def filled(archive: engine.Archive) -> None:
    for patient, issuer, study, series, count in KEPT:
        for number in range(count):
            uid = f"1.2.{study}"
            made = ct(uid, f"{uid}.{series}", f"{uid}.{series}.{number + 1}", PatientID=patient, Modality="CT")
            made.PatientName, made.StudyDate = f"Name^{patient}", "20240101"
            if issuer:
                made.IssuerOfPatientID = issuer
            await archive.store(part10(made))


def ask(port: int, model: str, level: str, **keys: Any) -> tuple[list[Dataset], list[int]]:
    entity = AE()
    entity.add_requested_context(model)
    association = entity.associate("127.0.0.1", port)
    assert association.is_established
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    answers = [(status.Status, row) for status, row in association.send_c_find(identifier, model)]
    association.release()
    return [row for _, row in answers if row], [status for status, _ in answers]


def texts(rows: list[Dataset], *keywords: str) -> list[tuple[str, ...]]:
    return sorted(tuple(str(row[keyword].value or "") for keyword in keywords) for row in rows)


QUESTIONS = (
    # C14: the issuer is matched and answered, and tells patients of one number apart
    (PatientFind, "PATIENT", {"PatientID": "P1", "IssuerOfPatientID": ""}, [("P1", "A"), ("P1", "B")]),
    (PatientFind, "PATIENT", {"PatientID": "P1", "IssuerOfPatientID": "B"}, [("P1", "B")]),
    (PatientFind, "PATIENT", {"PatientID": "", "IssuerOfPatientID": "C"}, []),
    (StudyFind, "STUDY", {"StudyInstanceUID": "", "PatientID": "P1", "IssuerOfPatientID": "A"},
     [("1.2.1", "P1", "A"), ("1.2.2", "P1", "A")]),
    (StudyFind, "STUDY", {"StudyInstanceUID": "1.2.4", "IssuerOfPatientID": ""}, [("1.2.4", "")]),
    # C13: counts of the patient over all studies, whether they match or not
    (PatientFind, "PATIENT", {"PatientID": "P1", "IssuerOfPatientID": "", "NumberOfPatientRelatedStudies": "",
     "NumberOfPatientRelatedSeries": "", "NumberOfPatientRelatedInstances": ""},
     [("P1", "A", "2", "3", "4"), ("P1", "B", "1", "1", "3")]),
    (StudyFind, "STUDY", {"StudyInstanceUID": "1.2.2", "NumberOfPatientRelatedStudies": "",
     "NumberOfPatientRelatedInstances": ""}, [("1.2.2", "2", "4")]),
    (StudyFind, "STUDY", {"StudyInstanceUID": "", "PatientID": "P1", "NumberOfStudyRelatedSeries": "",
     "NumberOfStudyRelatedInstances": ""}, [("1.2.1", "P1", "2", "3"), ("1.2.2", "P1", "1", "1"),
     ("1.2.3", "P1", "1", "3")]),
    (StudyFind, "STUDY", {"StudyInstanceUID": "", "NumberOfStudyRelatedInstances": "3"},
     [("1.2.1", "3"), ("1.2.3", "3")]),
    (StudyFind, "SERIES", {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "", "NumberOfSeriesRelatedInstances": "",
     "NumberOfStudyRelatedInstances": ""}, [("1.2.1", "1.2.1.1", "2", "3"), ("1.2.1", "1.2.1.2", "1", "3")]),
    (StudyFind, "IMAGE", {"StudyInstanceUID": "1.2.2", "SeriesInstanceUID": "1.2.2.1", "SOPInstanceUID": "",
     "NumberOfPatientRelatedStudies": ""}, [("1.2.2", "1.2.2.1", "1.2.2.1.1", "2")]),
    # C09: an empty value, and a star, match everything; also what is not there
    (PatientFind, "PATIENT", {"PatientID": "*", "IssuerOfPatientID": "*"}, [("P1", "A"), ("P1", "B"), ("P2", "")]),
    (StudyFind, "STUDY", {"StudyInstanceUID": "", "AccessionNumber": "*"}, [(f"1.2.{n}", "") for n in (1, 2, 3, 4)]),
    (StudyFind, "STUDY", {"StudyInstanceUID": "", "StudyDate": "", "StudyTime": "", "AccessionNumber": ""},
     [(f"1.2.{n}", "20240101", "", "") for n in (1, 2, 3, 4)]),
)  # fmt: skip


def test_C09_C13_C14_optional_keys_are_matched_and_answered() -> None:
    async def check(served: Served) -> None:
        for model, level, keys, expected in QUESTIONS:
            rows, statuses = await trio.to_thread.run_sync(lambda m=model, v=level, k=keys: ask(served.port, m, v, **k))
            assert texts(rows, *keys) == expected, (level, keys)
            assert set(statuses) <= {0xFF00, 0x0000}

    async def main() -> None:
        async with engine.open("memory://") as archive:
            await filled(archive)
            await serving_in(check, archive)

    trio.run(main)


@pytest.mark.parametrize(
    "unsupported",
    [{"NumberOfPatientRelatedStudies": "2"}, {"SliceThickness": "", "InstanceNumber": ""}, {"SeriesDescription": ""}],
)
def test_C14_keys_that_are_not_supported_are_said_and_drop_no_match(unsupported: dict[str, str]) -> None:
    async def check(served: Served) -> None:
        rows, statuses = await trio.to_thread.run_sync(
            lambda: ask(served.port, StudyFind, "STUDY", StudyInstanceUID="", **unsupported)
        )
        assert statuses == [0xFF01] * 4 + [0x0000]
        assert texts(rows, "StudyInstanceUID") == [(f"1.2.{number}",) for number in (1, 2, 3, 4)]

    async def main() -> None:
        async with engine.open("memory://") as archive:
            await filled(archive)
            await serving_in(check, archive)

    trio.run(main)


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        ("STUDY", {"SeriesInstanceUID": "1.2.1.2"}, [("1.2.1",)]),
        ("STUDY", {"SeriesInstanceUID": "9.9"}, []),
        ("STUDY", {"SOPInstanceUID": "1.2.1.1.2", "PatientID": "P1"}, [("1.2.1",)]),
        ("STUDY", {"SOPInstanceUID": "1.2.1.1.2", "PatientID": "P2"}, []),
        ("STUDY", {"SOPInstanceUID": ["1.2.1.1.2", "1.2.3.1.1"], "SeriesInstanceUID": "1.2.3.1"}, [("1.2.3",)]),
        ("STUDY", {"Modality": "MR"}, []),
        ("STUDY", {"Modality": "CT", "PatientID": "P2"}, [("1.2.4",)]),
        ("PATIENT", {"StudyInstanceUID": "1.2.3"}, [("P1",)]),
        ("PATIENT", {"SeriesInstanceUID": "1.2.4.1"}, [("P2",)]),
        ("PATIENT", {"SeriesInstanceUID": "1.2.4.1", "StudyInstanceUID": "1.2.1"}, []),
    ],
)
def test_keys_of_lower_levels_choose_what_holds_them(level: str, keys: dict[str, Any], expected: list[Any]) -> None:
    """They are not answered, which is said; nothing is answered that holds nothing of the kind. The library does so."""
    unique = "StudyInstanceUID" if level == "STUDY" else "PatientID"

    async def check(served: Served) -> None:
        model = StudyFind if level == "STUDY" else PatientFind
        rows, statuses = await trio.to_thread.run_sync(lambda: ask(served.port, model, level, **{unique: ""} | keys))
        assert texts(rows, unique) == expected
        assert statuses == [0xFF01] * len(expected) + [0x0000]

    async def main() -> None:
        async with engine.open("memory://") as archive:
            await filled(archive)
            await serving_in(check, archive)
            assert sorted({(row[unique],) async for row in archive.find(level.lower(), **keys)}) == expected

    trio.run(main)


class Growing:
    """The real archive, into which another study comes whenever a page was answered."""

    def __init__(self, archive: engine.Archive) -> None:
        self._archive = archive
        self.totals: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)

    async def answer(self, query: Query) -> Found:
        found = await self._archive.answer(query)
        self.totals.append(found.total)
        number = 100 + len(self.totals)
        await self._archive.store(part10(ct(f"1.2.{number}", f"1.2.{number}.1", f"1.2.{number}.1.1", PatientID="P9")))
        return found

    async def shaped(self, query: Query, shape: Callable[[Found], Any]) -> Any:
        return shape(await self.answer(query))


def test_C09_an_answer_holds_still_while_data_comes_in() -> None:
    async def main() -> None:
        async with engine.open("memory://") as archive:
            await filled(archive)
            growing = Growing(archive)

            async def check(served: Served) -> None:
                rows, _ = await trio.to_thread.run_sync(
                    lambda: ask(served.port, StudyFind, "STUDY", StudyInstanceUID="")
                )
                assert texts(rows, "StudyInstanceUID") == [(f"1.2.{number}",) for number in (1, 2, 3, 4)]
                assert growing.totals == [4, 4, 4, 4]
                rows, _ = await trio.to_thread.run_sync(
                    lambda: ask(served.port, StudyFind, "STUDY", StudyInstanceUID="", PatientID="P9")
                )
                assert len(rows) >= 4, "what came is in the next answer"

            await serving_in(check, growing, find_page_count=1)

    trio.run(main)


class CancelledLine:
    """An association on which C-CANCEL is there when it is looked for after the n-th time."""

    def __init__(self, after_count: int) -> None:
        self.sent = b""
        self._left = after_count

    async def send(self, data: bytes) -> None:
        self.sent += data

    async def is_over(self, message_id: int) -> bool:
        self._left -= 1
        return self._left < 0


def status(value: int) -> bytes:
    """The element of a command set."""
    return b"\0\0\0\x09\2\0\0\0" + value.to_bytes(2, "little")


@pytest.mark.parametrize(
    ("after_count", "send_bytes", "sent_count"), [(0, 1, 0), (3, 1, 3), (0, 1 << 16, 0), (9, 1, 4)]
)
def test_C14_cancel_ends_within_one_response(after_count: int, send_bytes: int, sent_count: int) -> None:
    """What was not sent when it came is not sent."""
    request = commands.Command(commands.Field.C_FIND_RQ, 7, StudyFind, has_dataset=True)
    data = dataset.element(0x00080052, "CS", b"STUDY") + dataset.element(0x0020000D, "UI", b"")
    line = CancelledLine(after_count)

    async def main() -> None:
        async with engine.open("memory://") as archive:
            await filled(archive)
            settings = DimseSettings()
            site = Site(Outbound(archive, settings, Transcoder()), settings, SmallPeers())
            exchange = Exchange(
                line, request, 1, EXPLICIT, data, calling_ae_title="A", pdu_bytes_max=16384, send_bytes=send_bytes
            )
            await find.answer(exchange, site, Options())

    trio.run(main)
    assert line.sent.count(status(0xFF00)) == sent_count
    assert line.sent.endswith(status(Status.CANCELLED if sent_count < 4 else Status.SUCCESS))
