"""Hostile data sets by C-STORE into a running node (H20, H21, H24-H26, H28-H32, H33, H37, H40-H42; H64).

Each is kept byte for byte, found, and sent back as it came; or refused with the status that its row names, and then
nothing of it is kept.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.filmroom import datasets
from tests.filmroom.capture import Capture
from tests.filmroom.datasets import BIG, CT, DEFLATED, EXPLICIT, IMPLICIT, PATIENT_ID, PATIENT_NAME, Named, element
from tests.filmroom.running import Node, start
from tests.filmroom.wire import QUERY, Wire, identifier

KEPT, MISMATCH, NOT_UNDERSTOOD = 0x0000, 0xA900, 0xC000


class Bench(msgspec.Struct, frozen=True):
    """A node and a place that it can move to."""

    node: Node
    capture: Capture

    def wire(self, *pairs: tuple[str, str]) -> Wire:
        return Wire(self.node.dicom, *(pairs or ((CT, EXPLICIT),)), *QUERY)

    def is_found(self, wire: Wire, study: str) -> bool:
        """Whether the study has its one instance for C-FIND."""
        answers = wire.find(identifier("STUDY", study=study))
        assert answers[-1].status == 0
        assert len(answers) <= 2
        return len(answers) == 2

    def moved(self, wire: Wire, study: str) -> bytes:
        """The one data set of the study, as C-MOVE sends it."""
        assert wire.move("CAPTURE", identifier("STUDY", study=study))[-1].status == 0
        (arrived,) = self.capture.take()
        return arrived.data


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    store = tmp_path_factory.mktemp("hostile") / "store"
    with Capture() as capture, start(store, "--peer", f"CAPTURE=127.0.0.1:{capture.port}") as node:
        yield Bench(node, capture)
        assert node.stop() == 0
        log = node.log()
        assert PATIENT_NAME.split("^")[0] not in log and PATIENT_ID not in log
        assert "Traceback" not in log


def tail(tag: int) -> bytes:
    """An ordinary element behind what a case tries: the walk must come to it."""
    return element(tag, "LO", "the end")


def japanese(escape: bytes) -> bytes:
    return element(0x00080005, "CS", "\\ISO 2022 IR 87") + element(0x00081030, "LO", b"A" + escape + b"B")


SOUND = {
    "H25 a million empty items": lambda n: n.dataset(datasets.empty_items(1_000_000)),
    "H25 a million elements": lambda n: n.dataset(datasets.many_elements(1_000_000)),
    "H24 as deep as is allowed": lambda n: n.dataset(datasets.nested(63)),
    "H40 two private creators of one name": lambda n: n.dataset(
        element(0x00210010, "LO", "ACME") + element(0x00210011, "LO", "ACME"),
        element(0x00211001, "LO", "one") + element(0x00211101, "LO", "two"),
    ),
    "H40 private elements without a creator": lambda n: n.dataset(element(0x00211001, "LO", "orphan")),
    "H40 group FFFF": lambda n: n.dataset(element(0xFFFF0001, "LO", "last of all")),
    "H40 tags out of order": lambda n: n.dataset(element(0x00400009, "SH", "late"), element(0x00080060, "CS", "CT")),
    "H40 a tag twice": lambda n: n.dataset(element(0x00200010, "SH", "first"), element(0x00200010, "SH", "second")),
    "H40 the SOP Instance UID twice": lambda n: n.dataset(element(0x00080018, "UI", "1.2.3.4")),
    "H41 a sequence as UN of undefined length": lambda n: n.dataset(
        b"\x21\x00\x10\x00LO\x04\x00ACME\x21\x00\x00\x10UN\x00\x00\xff\xff\xff\xff"
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + datasets.implicit(0x00080060, "MR") + b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"
        b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    ),
    "H41 implicit elements under an explicit syntax": lambda n: b"".join(
        datasets.implicit(tag, value)
        for tag, value in (
            (0x00080016, CT),
            (0x00080018, n.sop),
            (0x00100020, PATIENT_ID),
            (0x0020000D, n.study),
            (0x0020000E, n.series),
        )
    ),
    "H41 an odd length": lambda n: n.dataset(element(0x00200010, "SH", "odd", 3), tail(0x00204000)),
    "H41 an unknown VR of two capitals": lambda n: n.dataset(element(0x00211001, "ZZ", "what"), tail(0x00280010)),
    "H42 an unknown character set": lambda n: (
        n.begin()[:0] + element(0x00080005, "CS", "ISO_IR 4711") + n.dataset(element(0x00324000, "LT", b"\xe4\xf6\xfc"))
    ),
    "H42 an escape cut in the middle": lambda n: japanese(b"\x1b$") + n.dataset(),
    "H42 a backslash inside a character": lambda n: (
        element(0x00080005, "CS", "ISO_IR 13") + element(0x00081030, "LO", b"5\\000") + n.dataset()
    ),
    "H42 GB18030 with 0x5C as second byte": lambda n: (
        element(0x00080005, "CS", "GB18030") + element(0x00081030, "LO", b"\x81\x5c\x81\x5c") + n.dataset()
    ),
    "H37 a number of frames that lies": lambda n: n.dataset(
        element(0x00280008, "IS", "2147483647"), element(0x7FE00010, "OW", b"\0\0")
    ),
    "H33 Rows as UL": lambda n: n.dataset(element(0x00280010, "UL", b"\xff\xff\xff\xff")),
}


@pytest.mark.parametrize("name", SOUND)
def test_H24_H25_H40_H41_H42_odd_data_sets_are_kept_byte_for_byte(bench: Bench, name: str) -> None:
    named = Named(1000 + list(SOUND).index(name))
    data = SOUND[name](named)
    with bench.wire() as wire:
        assert wire.store((CT, EXPLICIT), named.sop, data).status == KEPT
        assert bench.is_found(wire, named.study)
        assert bench.moved(wire, named.study) == data
        wire.release()


REFUSED = {
    "H21 cut inside a value": (EXPLICIT, NOT_UNDERSTOOD, lambda n: n.dataset(tail(0x00204000))[:-3]),
    "H21 cut inside an element header": (EXPLICIT, NOT_UNDERSTOOD, lambda n: n.dataset() + b"\x20\x00\x00"),
    "H24 20 000 deep": (EXPLICIT, NOT_UNDERSTOOD, lambda n: n.dataset(datasets.nested(20_000))),
    "H24 one too deep": (EXPLICIT, NOT_UNDERSTOOD, lambda n: n.dataset(datasets.nested(65))),
    "H25 more elements than are read": (
        EXPLICIT,
        NOT_UNDERSTOOD,
        lambda n: n.dataset(datasets.empty_items(4_000_001)),
    ),
    "H26 1 MB that is 1 GiB": (DEFLATED, NOT_UNDERSTOOD, lambda n: datasets.deflate_bomb(n, 1 << 30)),
    "H26 the same as JPIP": ("1.2.840.10008.1.2.4.95", NOT_UNDERSTOOD, lambda n: datasets.deflate_bomb(n, 1 << 30)),
    "H26 the same as HTJ2K JPIP": (
        "1.2.840.10008.1.2.4.205",
        NOT_UNDERSTOOD,
        lambda n: datasets.deflate_bomb(n, 1 << 30),
    ),
    "H26 no deflated stream": (DEFLATED, NOT_UNDERSTOOD, lambda n: n.dataset()),
    "H28 a path as SOP Instance UID": (EXPLICIT, MISMATCH, lambda n: n.dataset(sop="../../../etc/passwd")),
    "H28 an absolute path as Study Instance UID": (EXPLICIT, MISMATCH, lambda n: n.dataset(study="/etc/passwd")),
    "H29 65 characters": (EXPLICIT, MISMATCH, lambda n: n.dataset(study="1." + "2" * 63)),
    "H29 letters": (EXPLICIT, MISMATCH, lambda n: n.dataset(study="1.2.x")),
    "H29 empty": (EXPLICIT, MISMATCH, lambda n: n.dataset(study="")),
    "H29 a NUL inside": (EXPLICIT, MISMATCH, lambda n: n.dataset(study="1.2\x003")),
    "H29 a newline": (EXPLICIT, MISMATCH, lambda n: n.dataset(study="1.2\n")),
    "H29 two dots": (EXPLICIT, MISMATCH, lambda n: n.dataset(study="1..2")),
    "H29 two values": (EXPLICIT, MISMATCH, lambda n: n.dataset(study="1.2\\1.3")),
    "H29 no UIDs at all": (EXPLICIT, MISMATCH, lambda n: n.begin()),
    "H20 another SOP Instance UID": (EXPLICIT, MISMATCH, lambda n: n.dataset(sop=n.sop + ".9")),
    "H20 another SOP Class UID": (EXPLICIT, MISMATCH, lambda n: n.dataset(sop_class="1.2.840.10008.5.1.4.1.1.4")),
    "H31 length 0xFFFFFFF0": (
        EXPLICIT,
        NOT_UNDERSTOOD,
        lambda n: n.dataset(element(0x7FE00010, "OW", bytes(1024), 0xFFFFFFF0)),
    ),
    "H31 in implicit VR": (
        IMPLICIT,
        NOT_UNDERSTOOD,
        lambda n: datasets.implicit(0x00080016, CT) + b"\x08\x00\x18\x00\xf0\xff\xff\xff" + bytes(900),
    ),
    "H32 VR ZZ of 4 GB": (
        EXPLICIT,
        NOT_UNDERSTOOD,
        lambda n: n.dataset(b"\x21\x00\x01\x10ZZ\x00\x00\xfc\xff\xff\xff" + bytes(64)),
    ),
    "H32 a meta group that says more than is there": (
        EXPLICIT,
        NOT_UNDERSTOOD,
        lambda n: element(0x00020000, "UL", b"\xff\xff\xff\x7f") + element(0x00020010, "UI", EXPLICIT, 0xFFF0),
    ),
    "H41 a delimiter out of nowhere": (
        EXPLICIT,
        NOT_UNDERSTOOD,
        lambda n: n.dataset(b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"),
    ),
    "an empty data set": (EXPLICIT, MISMATCH, lambda n: b""),
    "big endian said, little endian sent": (BIG, NOT_UNDERSTOOD, lambda n: n.dataset()),
    "random bytes": (EXPLICIT, NOT_UNDERSTOOD, lambda n: bytes(range(256)) * 40),
}


@pytest.mark.parametrize("name", REFUSED)
def test_H20_H21_H24_H26_H28_H29_H31_H32_unsound_data_sets_are_refused_whole(bench: Bench, name: str) -> None:
    syntax, status, make = REFUSED[name]
    named = Named(2000 + list(REFUSED).index(name))
    with bench.wire((CT, syntax)) as wire:
        before = study_count(bench.node)
        answer = wire.store((CT, syntax), named.sop, make(named))
        assert answer.status == status or answer.status >> 12 == status >> 12 == 0xC, hex(answer.status)
        assert answer.comment, "the peer is told why"
        assert PATIENT_ID not in answer.comment
        assert not bench.is_found(wire, named.study)
        assert study_count(bench.node) == before
        wire.release()


BAD_UIDS = ("../../../x", "/abs/x", "1.2." + "3" * 61, "1.2.x", "", "1.2\x003", "1.2\n", "1..2", ".1", "1.")


@pytest.mark.parametrize("uid", BAD_UIDS)
def test_H28_H29_UIDs_of_the_command_that_are_none_are_refused(bench: Bench, uid: str) -> None:
    named = Named(3000 + BAD_UIDS.index(uid))
    with bench.wire() as wire:
        assert wire.store((CT, EXPLICIT), uid, named.dataset(sop=uid)).status == MISMATCH
        assert not bench.is_found(wire, named.study)
        wire.release()


def test_H30_preambles_of_programs_are_gone_and_those_of_images_come_back(bench: Bench, tmp_path: Path) -> None:
    from tests.filmroom.running import run

    meta = element(0x00020000, "UL", (0).to_bytes(4, "little")) + element(0x00020001, "OB", b"\0\1")
    meta += element(0x00020002, "UI", CT) + element(0x00020010, "UI", EXPLICIT)
    for number, preamble, is_kept in ((5000, b"MZ", False), (5001, b"\x7fELF", False), (5002, b"II*\0", True)):
        named = Named(number)
        file = tmp_path / f"{number}.dcm"
        file.write_bytes(preamble.ljust(128, b"\1") + b"DICM" + meta + named.dataset())
        assert run("import", file, "--store", bench.node.store).returncode == 0
        folder = tmp_path / str(number)
        assert run("export", f"StudyInstanceUID={named.study}", folder, "--store", bench.node.store).returncode == 0
        (exported,) = folder.rglob("*.dcm")
        assert exported.read_bytes()[:128] == (preamble.ljust(128, b"\1") if is_kept else bytes(128))
        with bench.wire() as wire:
            assert bench.moved(wire, named.study) == named.dataset()


def study_count(node: Node) -> int:
    with Wire(node.dicom, *QUERY) as wire:
        return len(wire.find(identifier("STUDY", study="")))
