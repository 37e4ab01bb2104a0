"""Objects that few archives meet: C04 and C17 syntaxes that nobody decodes, C06 objects of no study; H35, H61."""

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.dimse import classes
from tests.filmroom import datasets
from tests.filmroom.capture import Capture
from tests.filmroom.datasets import CT, EXPLICIT, Named, element
from tests.filmroom.running import Node, start
from tests.filmroom.wire import QUERY, Answer, Wire, identifier
from tests.protocols.test_get import pynetdicom_get

GE_PRIVATE = "1.2.840.113619.5.2"
TAILS = "4.94 4.95 4.204 4.205 4.100 4.101 4.102 4.103 4.104 4.105 4.106 4.107 4.108 4.201 4.202 4.203 1.99"
SYNTAXES = [GE_PRIVATE, *(f"1.2.840.10008.1.2.{tail}" for tail in TAILS.split())]
DEFLATED = {f"1.2.840.10008.1.2.{tail}" for tail in ("1.99", "4.95", "4.205")}
# Hanging protocol, colour palette, protocol approval, implant template: of no patient.
OF_NO_STUDY = ("1.2.840.10008.5.1.4.38.1", "1.2.840.10008.5.1.4.39.1", "1.2.840.10008.5.1.4.1.1.200.3",
               "1.2.840.10008.5.1.4.43.1")  # fmt: skip


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    store = tmp_path_factory.mktemp("odd") / "store"
    with start(store) as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log()


def plain(named: Named, syntax: str) -> bytes:
    """A data set of the syntax; what stands in the pixels is not looked at."""
    url = f"http://127.0.0.1:9/{named.sop}" + " " * 7
    if syntax == GE_PRIVATE:
        tags = ((0x00080016, CT), (0x00080018, named.sop), (0x0020000D, named.study), (0x0020000E, named.series))
        return b"".join(datasets.implicit(tag, value) for tag, value in tags) + datasets.implicit(0x7FE00010, b"\1\2")
    data = named.dataset(element(0x00287FE0, "UR", url), element(0x7FE00010, "OB", bytes(range(64))))
    return datasets.deflated(data) if syntax in DEFLATED else data


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_C04_C17_what_nobody_decodes_comes_back_by_C_GET_byte_for_byte(node: Node, syntax: str) -> None:
    named = Named(7000 + SYNTAXES.index(syntax))
    data = plain(named, syntax)
    with Wire(node.dicom, (CT, syntax)) as wire:
        assert wire.store((CT, syntax), named.sop, data).status == 0
        wire.release()
    keys: dict[str, object] = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": named.study}
    statuses, received, _ = pynetdicom_get(
        node.dicom[1], keys, model=classes.STUDY_ROOT_GET, classes_taken=[CT], syntax=syntax
    )
    assert (statuses[-1], received) == (0, [data])
    if syntax != GE_PRIVATE and "4." in syntax:
        statuses, received, _ = pynetdicom_get(
            node.dicom[1], keys, model=classes.STUDY_ROOT_GET, classes_taken=[CT], syntax=GE_PRIVATE
        )
        assert (statuses[-1], received) == (0xA702, []), "never in a syntax that it is not"


@pytest.mark.parametrize("sop_class", OF_NO_STUDY)
def test_C06_objects_of_no_study_are_refused_in_words_and_the_association_goes_on(node: Node, sop_class: str) -> None:
    named = Named(7100 + OF_NO_STUDY.index(sop_class))
    data = named.begin(sop_class=sop_class) + element(0x00720002, "SH", "Chest")
    with Wire(node.dicom, (sop_class, EXPLICIT), (CT, EXPLICIT)) as wire:
        answer = wire.store((sop_class, EXPLICIT), named.sop, data)
        assert answer.status == 0xA900 and answer.comment
        assert wire.store((CT, EXPLICIT), named.sop, named.dataset()).status == 0
        wire.release()


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Some bytes changed, cut out, doubled, or the end cut off."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(made))
        match chance.randrange(5):
            case 0 | 1:
                made[at] = chance.randrange(256)
            case 2:
                del made[at : at + chance.randint(1, 8)]
            case 3:
                made[at:at] = made[at : at + chance.randint(1, 64)]
            case _:
                made[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(made[: chance.randrange(len(made))] if chance.random() < 0.1 else made)


def test_H35_400_mutated_data_sets_are_kept_whole_or_refused_and_the_node_lives(tmp_path: Path) -> None:
    seed = 35
    print("seed", seed)
    chance, kept, refused = random.Random(seed), {}, 0
    with Capture() as capture, start(tmp_path / "store", "--peer", f"CAPTURE=127.0.0.1:{capture.port}") as node:
        with Wire(node.dicom, (CT, EXPLICIT), *QUERY) as wire:
            for number in range(400):
                named = Named(8000 + number)
                whole = named.dataset(datasets.nested(3), element(0x7FE00010, "OB", bytes(200)))
                data = mutated(chance, whole)
                wire.socket.settimeout(15)
                answer: Answer = wire.store((CT, EXPLICIT), named.sop, data)
                assert answer.status in (0, 0xA900) or answer.status >> 12 == 0xC, (number, hex(answer.status))
                assert datasets.PATIENT_ID not in answer.comment
                kept |= {named.sop: data} if answer.status == 0 else {}
                refused += answer.status != 0
            studies = [answer.identifier for answer in wire.find(identifier("STUDY", study=""))[:-1]]
            for study in studies:
                uid = study[study.rindex(b"\x20\x00\x0d\x00") + 8 :].rstrip(b"\0").decode()
                assert wire.move("CAPTURE", identifier("STUDY", study=uid))[-1].status == 0
            wire.release()
        assert kept and refused, "some are sound still, others not"
        assert {one.sop_instance: one.data for one in capture.take()} == kept
        assert node.stop() == 0
        assert "Traceback" not in node.log()
        assert datasets.PATIENT_ID not in node.log()


def test_H61_nothing_that_a_peer_sends_makes_us_connect(node: Node) -> None:
    """Addresses in objects, identifiers, destinations and AE titles: the socket behind them is never called."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        host, port = trap.getsockname()
        trap.setblocking(False)
        named, url = Named(7200), f"http://{host}:{port}/x"
        pair = (CT, "1.2.840.10008.1.2.4.94")
        data = named.begin() + element(0x00081190, "UR", url) + named.patient() + named.relation()
        data += element(0x00287FE0, "UR", url) + element(0x00880140, "UI", "1.2.3")
        with Wire(node.dicom, pair, *QUERY, calling=f"{host}:{port}"[:16]) as wire:
            assert wire.store(pair, named.sop, data).status == 0
            asked = identifier("STUDY", study=named.study)
            assert wire.find(asked)[-1].status == 0
            for destination in (f"{host}:{port}", "127.0.0.1", "localhost", f"{host}:{port}"[:16].lower()):
                assert wire.move(destination, asked)[-1].status == 0xA801
            wire.release()
        keys: dict[str, object] = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": named.study}
        statuses, _, _ = pynetdicom_get(node.dicom[1], keys, model=classes.STUDY_ROOT_GET, classes_taken=[CT])
        assert statuses[-1] == 0xA702, "what it refers to is not fetched to be decompressed"
        with pytest.raises(BlockingIOError):
            trap.accept()
