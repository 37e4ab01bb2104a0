"""Stores to a running node: a new study that many send at once (C08), what is refused (C06), one SOP Instance UID for
several contents and in several studies (H43, H44)."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.filmroom.datasets import CT, EXPLICIT, ROOT, Named
from tests.filmroom.running import Node, run
from tests.filmroom.test_conformance import rows, written
from tests.filmroom.wire import QUERY, Wire

PAIR = (CT, EXPLICIT)
SENDERS_COUNT, EACH_COUNT = 10, 3


def test_C08_ten_associations_send_the_first_images_of_one_new_study_at_once(node: Node) -> None:
    """Each of them in two series, some in one of their own; the counts are exact, whoever came first."""
    study, gate = f"{ROOT}.5.8", Barrier(SENDERS_COUNT)
    with Wire(node.dicom, *QUERY) as query:

        def send(sender: int) -> list[int]:
            statuses = []
            with Wire(node.dicom, PAIR, calling=f"CT{sender}") as wire:
                gate.wait(30)
                for number in range(EACH_COUNT):
                    uids = {"StudyInstanceUID": study, "PatientID": "P8", "Modality": "CT"}
                    uids["SeriesInstanceUID"] = f"{ROOT}.6.8.{sender % 4 if number else 9}"
                    _, sop, data = written(80_000 + 10 * sender + number, CT, EXPLICIT, **uids)
                    statuses.append(wire.store(PAIR, sop, data).status)
                wire.release()
            return statuses

        with ThreadPoolExecutor(SENDERS_COUNT) as pool:
            statuses = list(pool.map(send, range(SENDERS_COUNT)))
        assert statuses == [[0] * EACH_COUNT] * SENDERS_COUNT
        (found,) = rows(query, "STUDY", {0x0020000D: study}, (0x00201206, 0x00201208))
        assert (found.NumberOfStudyRelatedSeries, found.NumberOfStudyRelatedInstances) == (5, 30)
        of_series = rows(query, "SERIES", {0x0020000D: study}, (0x0020000E, 0x00201209))
        counts = {row.SeriesInstanceUID.rpartition(".")[2]: row.NumberOfSeriesRelatedInstances for row in of_series}
        assert counts == {"0": 6, "1": 6, "2": 4, "3": 4, "9": 10}
        query.release()


def test_C06_each_refusal_has_its_status_and_coercion_is_no_warning(node: Node) -> None:
    """A900 for a class or a UID that does not match, C000 for what cannot be understood. A700 wants a full node: see
    tests/protocols/test_store.py."""
    named, other = Named(900), Named(901)
    mr = ("1.2.840.10008.5.1.4.1.1.4", EXPLICIT)
    with Wire(node.dicom, PAIR, mr) as wire:
        assert wire.store(PAIR, named.sop, named.dataset()).status == 0
        assert wire.store(PAIR, other.sop, named.dataset()).status == 0xA900
        assert wire.store(mr, other.sop, other.dataset()).status == 0xA900
        assert wire.store(PAIR, other.sop, b"\x08\0\x18\0UI\xff\xff1.2").status == 0xC000
        assert wire.store(PAIR, other.sop, other.dataset()).status == 0
        wire.release()


def test_H43_H44_one_UID_in_two_studies_and_with_two_contents_is_0000_and_found(node: Node) -> None:
    sop, studies = f"{ROOT}.4.44", [f"{ROOT}.5.{number}" for number in (44, 45)]
    with Wire(node.dicom, PAIR, *QUERY) as wire:
        for study, content in ((studies[0], "one"), (studies[0], "two"), (studies[1], "one")):
            uids = {"StudyInstanceUID": study, "SOPInstanceUID": sop, "SeriesInstanceUID": f"{study}.1"}
            _, _, data = written(44, CT, EXPLICIT, **uids, StudyDescription=content)
            assert wire.store(PAIR, sop, data).status == 0
        for study in studies:
            (found,) = rows(wire, "STUDY", {0x0020000D: study}, (0x00081030, 0x00201208))
            assert (found.NumberOfStudyRelatedInstances, found.StudyDescription) == (1, "one")
            (image,) = rows(wire, "IMAGE", {0x0020000D: study, 0x0020000E: f"{study}.1"}, (0x00080018,))
            assert image.SOPInstanceUID == sop
        wire.release()
    checks = {one["name"]: one for one in json.loads(run("doctor", "--json", "--store", node.store).stdout)}
    assert checks["elsewhere"]["state"] == checks["versions"]["state"] == "warn"
    assert sop in checks["elsewhere"]["fix"]
