"""What a search over the web matches is what C-FIND matches; nested and private keys."""

import random
from urllib.parse import quote

import pydicom

from native import dataset
from protocols.query import find_identifier
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ARCHIVE, ROOT, file_of, instance, uids


def test_c_find_and_qido_give_the_same_matches() -> None:
    chance = random.Random(7)
    values = {
        "PatientName": ["Doe*", "*doe*", "Müller", "yamada", "A*", "*", "Anchor^Ann", "x"],
        "PatientID": ["PID002", "PID*", "*00?", "ANC001", "none"],
        "StudyDate": ["20200101-20201231", "20240110", "-20201231", "20240101-"],
        "ModalitiesInStudy": ["CT", "MR", "CT\\US"],
        "AccessionNumber": ["ACC?", "ACC3", "*1"],
        "StudyDescription": ["*cine*", "Study 2"],
        "Modality": ["CT", "MR", "US"],
        "InstanceNumber": ["1", "2"],
    }

    async def check(served: Served) -> None:
        for _ in range(120):
            level = chance.choice(["STUDY", "SERIES", "IMAGE"])
            keys = {name: chance.choice(values[name]) for name in chance.sample(sorted(values), chance.randrange(1, 4))}
            if level != "STUDY":
                keys["StudyInstanceUID"] = f"{ROOT}.{chance.randrange(1, 6)}"
            if level == "IMAGE":
                keys["SeriesInstanceUID"] = f"{keys['StudyInstanceUID']}.1"
            identifier = pydicom.Dataset()
            identifier.SpecificCharacterSet = "ISO_IR 192"
            identifier.QueryRetrieveLevel = level
            for name, value in keys.items():
                setattr(identifier, name, value)
            query = find_identifier(written(identifier), "1.2.840.10008.1.2.1", "study").query
            expected = [
                dataset.get(match.header, TAGS[level]) for match in (await served.archive.answer(query)).matches
            ]
            path = {"STUDY": "/studies", "SERIES": "/series", "IMAGE": "/instances"}[level]
            question = "&".join(f"{name}={quote(value)}" for name, value in keys.items())
            answer = await served.client.get(f"{path}?{question}")
            assert answer.status_code == 200, answer.text
            assert uids(answer.json(), TAGS[level]) == [(uid or b"").decode().strip("\0") for uid in expected], question
            asked_of.add((level, bool(expected)))

    asked_of: set[tuple[str, bool]] = set()
    serving(check, *ARCHIVE)
    assert len(asked_of) == 6


TAGS = {"STUDY": "0020000D", "SERIES": "0020000E", "IMAGE": "00080018"}


def written(identifier: pydicom.Dataset) -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, identifier)
    return out.getvalue()


def test_nested_and_private_keys() -> None:
    made = instance(1)
    item = pydicom.Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = "S1", "R1"
    made.RequestAttributesSequence = [item]
    made.private_block(0x0009, "MAKER", create=True).add_new(0x01, "LO", "secret sauce")

    async def check(served: Served) -> None:
        for question, count in {
            "RequestAttributesSequence.RequestedProcedureID=R1": 1,
            "00400275.00401001=R1&00400275.00400009=S1": 1,
            "00400275.00401001=R2": 0,
            f"{quote('0009,MAKER,01')}=secret*": 1,
            f"{quote('0009,OTHER,01')}=secret*": 0,
        }.items():
            answer = await served.client.get(f"/instances?{question}&includefield=00400275.00401001")
            assert answer.status_code == 200 and len(answer.json()) == count, (question, answer.text)
            if count:
                assert answer.json()[0]["00400275"]["Value"][0]["00401001"]["Value"] == ["R1"]

    serving(check, file_of(made), file_of(instance(2)))
