"""C-MOVE and C-GET with relational retrieval (PS3.4 C.4.2.2.2, C.4.3): pynetdicom and the real engine (C10, C17)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE, build_role, evt
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

import engine
from engine.ports import Peer
from tests.protocols.files import ct, part10
from tests.protocols.serving import Served, serving_in

GET = {"patient": PatientRootQueryRetrieveInformationModelGet, "study": StudyRootQueryRetrieveInformationModelGet}
MOVE = {"patient": PatientRootQueryRetrieveInformationModelMove, "study": StudyRootQueryRetrieveInformationModelMove}
# Patient, study, series, instance; the UID of an instance says where it is.
EVERY = [(p, s, e, i) for p in (1, 2) for s in (1, 2) for e in (1, 2) for i in (1, 2)]

# Root, keys, whether it is relational; what comes, or the status.
QUESTIONS = (
    ("study", {"8,52": "IMAGE", "8,18": "1.2.1.1.1.1"}, True, ["1.2.1.1.1.1"]),
    ("study", {"8,52": "IMAGE", "8,18": ["1.2.1.1.1.1", "1.2.2.2.2.2"]}, True, ["1.2.1.1.1.1", "1.2.2.2.2.2"]),
    ("study", {"8,52": "SERIES", "20,e": "1.2.2.1.2"}, True, ["1.2.2.1.2.1", "1.2.2.1.2.2"]),
    ("patient", {"8,52": "STUDY", "20,d": "1.2.1.2"}, True, [f"1.2.1.2.{e}.{i}" for e in (1, 2) for i in (1, 2)]),
    ("study", {"8,52": "STUDY", "20,d": "1.2.1.2", "8,18": "1.2.1.2.2.1"}, True, ["1.2.1.2.2.1"]),
    ("patient", {"8,52": "PATIENT", "10,20": "P2", "20,e": "1.2.2.1.2", "8,18": "1.2.2.1.2.1"}, True, ["1.2.2.1.2.1"]),
    ("study", {"8,52": "IMAGE", "20,d": ["1.2.1.1", "1.2.1.2"], "8,18": ["1.2.1.2.1.1", "1.2.2.1.1.1"]}, True,
     ["1.2.1.2.1.1"]),
    ("study", {"8,52": "IMAGE", "8,18": ""}, True, 0xA900),
    ("study", {"8,52": "IMAGE", "8,18": "1.2.1.1.1.1"}, False, 0xA900),
    ("study", {"8,52": "SERIES", "20,e": "1.2.2.1.2"}, False, 0xA900),
    ("patient", {"8,52": "STUDY", "20,d": "1.2.1.2"}, False, 0xA900),
    ("study", {"8,52": "IMAGE", "20,d": ["1.2.1.1", "1.2.1.2"], "20,e": "1.2.1.1.1", "8,18": "1.2.1.1.1.1"}, False,
     0xA900),
    ("study", {"8,52": "STUDY", "20,d": "1.2.1.2", "8,18": "1.2.1.2.2.1"}, False, 0xA900),
    ("study", {"8,52": "STUDY", "20,d": "1.2.1.2", "8,18": ""}, False,
     [f"1.2.1.2.{e}.{i}" for e in (1, 2) for i in (1, 2)]),
)  # fmt: skip
TAGS = {"8,52": "QueryRetrieveLevel", "10,20": "PatientID", "20,d": "StudyInstanceUID", "20,e": "SeriesInstanceUID",
        "8,18": "SOPInstanceUID"}  # fmt: skip
Keys = dict[str, str | list[str]]


@asynccontextmanager
async def archive() -> AsyncIterator[engine.Archive]:
    async with engine.open("memory://") as opened:
        for patient, study, series, instance in EVERY:
            uid = f"1.2.{patient}.{study}.{series}"
            await opened.store(part10(ct(uid[:-2], uid, f"{uid}.{instance}", PatientID=f"P{patient}")))
        yield opened


def associate(port: int, model: str, relational: bool, entity: AE, collect: bool = False) -> tuple[object, list[str]]:
    got: list[str] = []

    def keep(event: evt.Event) -> int:
        got.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    entity.add_requested_context(model)
    extra: list[object] = []
    if collect:
        entity.add_requested_context(CTImageStorage)
        extra.append(build_role(CTImageStorage, scp_role=True))
    if relational:
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = model, b"\1"
        extra.append(item)
    handlers = [(evt.EVT_C_STORE, keep)] if collect else []
    association = entity.associate("127.0.0.1", port, ext_neg=extra, evt_handlers=handlers)  # type: ignore[arg-type]
    assert association.is_established
    return association, got


def identifier(keys: Keys) -> Dataset:
    made = Dataset()
    for key, value in keys.items():
        setattr(made, TAGS[key], value)
    return made


def get(port: int, root: str, keys: Keys, relational: bool) -> tuple[int, list[str]]:
    association, got = associate(port, GET[root], relational, AE(), collect=True)
    statuses = [status.Status for status, _ in association.send_c_get(identifier(keys), GET[root])]  # type: ignore[attr-defined]
    association.release()  # type: ignore[attr-defined]
    return statuses[-1], sorted(got)


def move(port: int, root: str, keys: Keys, relational: bool) -> int:
    association, _ = associate(port, MOVE[root], relational, AE())
    answers = association.send_c_move(identifier(keys), "SINK", MOVE[root])  # type: ignore[attr-defined]
    statuses = [status.Status for status, _ in answers]
    association.release()  # type: ignore[attr-defined]
    return int(statuses[-1])


@pytest.mark.parametrize(("root", "keys", "relational", "expected"), QUESTIONS)
def test_C10_relational_retrieval_when_it_was_agreed(
    root: str, keys: Keys, relational: bool, expected: list[str] | int
) -> None:
    moved: list[str] = []

    def keep(event: evt.Event) -> int:
        moved.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    async def check(served: Served) -> None:
        sink = AE("SINK")
        sink.add_supported_context(CTImageStorage)
        server = sink.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
        served.peers.known["SINK"] = Peer("SINK", "127.0.0.1", server.socket.getsockname()[1])
        try:
            status = await trio.to_thread.run_sync(move, served.port, root, keys, relational)
        finally:
            server.shutdown()
        got_status, got = await trio.to_thread.run_sync(get, served.port, root, keys, relational)
        assert status == got_status == (0 if isinstance(expected, list) else expected)
        assert sorted(moved) == got == (expected if isinstance(expected, list) else [])

    async def main() -> None:
        async with archive() as opened:
            await serving_in(check, opened)

    trio.run(main)
