"""Every file that pydicom carries: stored over the wire, moved back with the data set that was on the wire (C04).

Or refused, with the reason that ``tests.native.real_files.REFUSED`` names. They travel as they are on a bare socket,
and by DCMTK and pynetdicom, which write some of them anew before they send: a relay notes what they sent.
"""

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from pydicom import dcmread
from pydicom.filereader import _read_file_meta_info, read_preamble

from tests.filmroom.capture import Arrived, Capture
from tests.filmroom.running import SECONDS_MAX, Node, start
from tests.filmroom.tap import Passed, tap
from tests.filmroom.wire import QUERY, Wire, identifier
from tests.native.real_files import MISSING_UID, REFUSED, TOO_LONG, files

SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
# Without its file meta information it is a data set like others.
# On the wire the presentation context names the syntax: nothing is guessed, and what is no data set is read as one.
READ_AS_SAID = ("README", "no_meta.dcm", "rtplan.dump", "rtstruct.dump")
REFUSED_ON_WIRE = REFUSED | dict.fromkeys(READ_AS_SAID, TOO_LONG) | {"meta_missing_tsyntax.dcm": MISSING_UID}
# DCMTK reads a UID of VR UN as the hexadecimal digits of its bytes: so it misnames two RT Dose objects in its command.
MISNAMED_BY_DCMTK = ("31", 0xA900)
UNWRITABLE_BY_PYDICOM = {"SC_rgb_jpeg.dcm", "badVR.dcm"}


class OnWire(msgspec.Struct, frozen=True):
    """One real file as C-STORE would send it."""

    name: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data: bytes


def on_wire(path: Path) -> OnWire:
    """pydicom says where the data set begins and what it is; what a file does not say is made up."""
    with path.open("rb") as file:
        read_preamble(file, force=True)
        meta = _read_file_meta_info(file)
        data = file.read()
    syntax = str(meta.get("TransferSyntaxUID") or "")
    try:
        read = dcmread(path, force=True, stop_before_pixels=True)
        sop_class, sop_instance = str(read.get("SOPClassUID", "")), str(read.get("SOPInstanceUID", ""))
        if not syntax:
            implicit, little = read.original_encoding
            syntax = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"
    except Exception:  # noqa: BLE001 - what pydicom cannot read is sent all the same
        sop_class = sop_instance = ""
    return OnWire(path.name, sop_class or SECONDARY, sop_instance or "1.2.3.4", syntax or "1.2.840.10008.1.2", data)


def rounds() -> list[list[OnWire]]:
    """So that no two of a round have the same SOP Instance UID."""
    made: list[dict[str, OnWire]] = []
    for sent in map(on_wire, files()):
        place = next((one for one in made if sent.sop_instance not in one), None)
        if place is None:
            made.append(place := {})
        place[sent.sop_instance] = sent
    return [list(one.values()) for one in made]


def move_everything(node: Node, capture: Capture) -> dict[str, Arrived]:
    """SOP Instance UID to what came."""
    with Wire(node.dicom, *QUERY) as wire:
        studies = [answer.identifier for answer in wire.find(identifier("STUDY", study=""))[:-1]]
        for study in studies:
            uid = study[study.rindex(b"\x20\x00\x0d\x00") + 8 :].rstrip(b"\0").decode()
            assert wire.move("CAPTURE", identifier("STUDY", study=uid))[-1].status == 0
        wire.release()
    return {one.sop_instance: one for one in capture.take()}


def test_C04_every_real_file_comes_back_as_it_was_on_the_wire_or_is_refused_by_name(tmp_path: Path) -> None:
    seen: dict[str, str] = {}
    for number, sent in enumerate(rounds()):
        with Capture() as capture, start(tmp_path / str(number), "--peer", f"CAPTURE=127.0.0.1:{capture.port}") as node:
            refused = send_as_they_are(node, sent)
            arrived = move_everything(node, capture)
            for one in sent:
                if one.name not in refused:
                    assert arrived.pop(one.sop_instance).data == one.data, one.name
            assert not arrived
            seen |= refused
    assert seen == REFUSED_ON_WIRE


def send_as_they_are(node: Node, sent: Sequence[OnWire]) -> dict[str, str]:
    """Names of the refused to the reasons given."""
    refused: dict[str, str] = {}
    pairs = sorted({(one.sop_class, one.transfer_syntax) for one in sent})
    with Wire(node.dicom, *pairs) as wire:
        assert set(wire.accepted) == set(pairs)
        for one in sent:
            answer = wire.store((one.sop_class, one.transfer_syntax), one.sop_instance, one.data)
            if answer.status:
                assert answer.status == 0xA900 or answer.status >> 12 == 0xC
                refused[one.name] = answer.comment
        wire.release()
    return refused


def sendable() -> list[Path]:
    return [path for path in files() if path.name not in REFUSED]


def by_dcmsend(address: tuple[str, int]) -> None:
    words = ["/usr/bin/dcmsend", "-aec", "FILMROOM", "--no-halt", "--decompress-never", "--no-uid-checks"]
    sent = subprocess.run([*words, *address_words(address), *sendable()], timeout=SECONDS_MAX, capture_output=True)
    assert b"(Success)" in sent.stdout + sent.stderr or sent.returncode in (0, 43), sent.stderr


def by_storescu(address: tuple[str, int]) -> None:
    for proposed in ("-xi", "-xb", "-xs"):  # implicit and big endian: what is not compressed it writes anew
        words = ["/usr/bin/storescu", proposed, "-aec", "FILMROOM", "+C", "--no-halt"]
        subprocess.run([*words, *address_words(address), *sendable()], timeout=SECONDS_MAX, capture_output=True)


def by_pynetdicom(address: tuple[str, int]) -> None:
    from pynetdicom import AE

    read = [dcmread(path, force=True) for path in sendable()]
    read = [one for one in read if one.file_meta.get("TransferSyntaxUID")]
    pairs = sorted({(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in read})
    entity = AE(ae_title="PYNETDICOM")
    for sop_class, syntax in pairs:
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate(*address, ae_title="FILMROOM")
    assert association.is_established
    for one in read:
        try:
            assert association.send_c_store(one).Status == 0, one.filename
        except ValueError:  # pydicom cannot write it
            assert Path(one.filename).name in UNWRITABLE_BY_PYDICOM
    association.release()


def address_words(address: tuple[str, int]) -> tuple[str, str]:
    return address[0], str(address[1])


SENDERS = {"dcmsend": (by_dcmsend, 100), "storescu": (by_storescu, 100), "pynetdicom": (by_pynetdicom, 100)}


@pytest.mark.parametrize("name", SENDERS)
def test_C04_what_real_senders_put_on_the_wire_comes_back(tmp_path: Path, name: str) -> None:
    send, count_min = SENDERS[name]
    with ExitStack() as stack:
        capture = stack.enter_context(Capture())
        node = stack.enter_context(start(tmp_path / "store", "--peer", f"CAPTURE=127.0.0.1:{capture.port}"))
        with tap(node.dicom) as relay:
            send(relay.address)
        arrived = move_everything(node, capture)
    first: dict[str, Passed] = {}
    for passed in relay.stores:
        if (passed.sop_instance, passed.status) == MISNAMED_BY_DCMTK:
            continue
        assert passed.status == 0, (passed.sop_instance, passed.comment)
        first.setdefault(passed.sop_instance, passed)
    assert len(relay.stores) >= count_min
    assert {uid: (one.transfer_syntax, one.data) for uid, one in arrived.items()} == {
        uid: (one.transfer_syntax, one.data) for uid, one in first.items()
    }
