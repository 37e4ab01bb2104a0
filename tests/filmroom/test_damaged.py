"""None corrupt is served: a flipped bit in a kept object fails its own sub-operation of C-MOVE, and no other (H70)."""

import shutil
from pathlib import Path

import pytest

from native import dataset
from tests.filmroom.capture import Capture
from tests.filmroom.datasets import CT, EXPLICIT, Named, element
from tests.filmroom.running import Node, run, start
from tests.filmroom.wire import QUERY, Answer, Wire, identifier

SMALL, LARGE = 3000, 3_000_000
STUDY = Named(1).study


def instances(size: int) -> list[tuple[str, bytes]]:
    """Five of one series."""
    made = []
    for number in range(1, 6):
        named = Named(1)
        named.sop = f"{named.series}.{number}"
        pixels = bytes((number,)) * size
        made.append((named.sop, named.dataset(element(0x7FE00010, "OW", pixels))))
    return made


def object_of(store: Path, data: bytes) -> Path:
    """The file of the object that ends with this data set."""
    (found,) = (file for file in store.rglob("*.dcm") if file.read_bytes().endswith(data))
    return found


def flip(file: Path, at: int) -> None:
    raw = bytearray(file.read_bytes())
    raw[at] ^= 0x40
    file.write_bytes(raw)


@pytest.mark.parametrize(
    ("size", "place"),
    [
        (SMALL, "in the header"),
        (SMALL, "cut short"),
        (SMALL, "gone"),
        (LARGE, "in the pixels"),
    ],
)
def test_H70_a_damaged_object_fails_alone_and_is_never_sent(tmp_path: Path, size: int, place: str) -> None:
    sent = instances(size)
    store = tmp_path / "store"
    with start(store) as node:
        with Wire(node.dicom, (CT, EXPLICIT)) as wire:
            assert [wire.store((CT, EXPLICIT), uid, data).status for uid, data in sent] == [0] * 5
            wire.release()
        assert node.stop() == 0
    uid, data = sent[1]
    file = object_of(store, data)
    if place == "gone":
        file.unlink()
    elif place == "cut short":
        file.write_bytes(file.read_bytes()[:-4])
    else:
        flip(file, len(dataset.canonical_head(CT, uid, EXPLICIT)) + 90 if place == "in the header" else -20)
    with Capture() as capture, start(store, "--peer", f"CAPTURE=127.0.0.1:{capture.port}") as node:
        final = move(node)
        arrived = {one.sop_instance: one.data for one in capture.take()}
        assert arrived == {other: whole for other, whole in sent if other != uid}
        assert final.status == 0xB000
        assert (final.elements[0x1021], final.elements[0x1022], final.elements[0x1023]) == (4, 1, 0)
        assert uid.encode() in final.identifier
        if place in ("in the header", "in the pixels"):
            assert "object is not what was written" in node.log()
        assert "Traceback" not in node.log()


def move(node: Node) -> Answer:
    with Wire(node.dicom, *QUERY) as wire:
        answers = wire.move("CAPTURE", identifier("STUDY", study=STUDY))
        wire.release()
    return answers[-1]


def test_h70_commands_name_what_is_damaged_and_read_the_rest(tmp_path: Path, images: Path) -> None:
    """A batch of the journal is damaged, and no index there: looked for, read when asked, refused to who stores."""
    store = tmp_path / "store"
    assert run("import", images, "--store", store).returncode == 0
    shutil.rmtree(store / "node" / "index")
    (batch, _) = sorted(file for file in (store / "archive" / "t" / "default" / "j").rglob("*") if file.is_file())
    flip(batch, -1)
    found = run("verify", "--store", store)
    assert found.returncode == 1 and batch.name in found.stdout and "orphan" not in found.stderr
    assert batch.name in run("doctor", "--store", store).stdout
    refused = run("import", images, "--store", store)
    assert refused.returncode == 1 and 'store.damaged = "read"' in refused.stderr
    read = run("find", "--store", store, FILMROOM_STORE_DAMAGED="read")
    assert read.returncode == 0 and "Traceback" not in read.stderr
