"""What an import reads: all that was named, and nothing else (H65, H67)."""

import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import trio
from pydicom.dataset import Dataset, FileMetaDataset

from engine import Instance
from filmroom.exporting import relative_path
from filmroom.sources import Source, chunks, holds_no_image, sources


def names(found: list[Source]) -> list[str]:
    return [f"{source.member or source.path.name}{' !' if source.problem else ''}" for source in found]


def test_folders_are_walked_in_order_without_links_to_folders(tmp_path: Path) -> None:
    inner = tmp_path / "in" / "b"
    inner.mkdir(parents=True)
    (inner / "2").write_bytes(b"")
    (tmp_path / "in" / "a").write_bytes(b"")
    (tmp_path / "in" / "DICOMDIR").write_bytes(b"")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret").write_bytes(b"")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    assert names(list(sources([tmp_path / "in"]))) == ["a", "2"]


def test_a_folder_that_may_not_be_read_is_a_problem_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.dcm").write_bytes(b"")
    (tmp_path / "d.dcm").write_bytes(b"")
    listed, looked = Path.iterdir, Path.is_file

    def iterdir(self: Path) -> Iterator[Path]:
        if self.name == "b":
            raise PermissionError(13, "Permission denied")
        return listed(self)

    def is_file(self: Path) -> bool:
        if self.name == "c.dcm":
            raise PermissionError(13, "Permission denied")
        return looked(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    monkeypatch.setattr(Path, "is_file", is_file)
    found = list(sources([tmp_path]))
    assert names(found) == ["a.dcm", "b !", "c.dcm !", "d.dcm"]
    assert found[1].problem == found[2].problem == "it cannot be read: Permission denied"


def test_what_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert names(list(sources([tmp_path / "gone"]))) == ["gone !"]


def test_a_folder_that_cannot_be_read_is_a_problem_and_not_the_end(tmp_path: Path) -> None:
    (tmp_path / "z").write_bytes(b"")
    deep, name = os.open(tmp_path, os.O_PATH), "d" * 250
    for _ in range(20):  # longer than a path may be
        os.mkdir(name, dir_fd=deep)
        inner = os.open(name, os.O_PATH, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    assert names(list(sources([tmp_path]))) == [f"{name} !", "z"]
    subprocess.run(["rm", "-r", tmp_path / name], check=True)  # pytest cannot


def test_zips_give_their_members_and_bombs_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../x", b"data")
        archive.writestr("bomb", bytes(64 << 20))
    found = list(sources([tmp_path]))
    assert names(found) == ["../../x", "bomb !"]

    async def read() -> bytes:
        return b"".join([piece async for piece in chunks(found[0])])

    assert trio.run(read) == b"data"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_zip_is_opened_once_and_closed_with_its_last_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading its directory for each of 4,000 entries took a minute."""
    file, opened = tmp_path / "a.zip", 0
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(50):
            archive.writestr(f"{number:02d}", f"data {number}" * 1000)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("07", b"another of this name")
    once = zipfile.ZipFile.__init__

    def counted(*arguments: Any, **more: Any) -> None:
        nonlocal opened
        opened += 1
        once(*arguments, **more)

    monkeypatch.setattr(zipfile.ZipFile, "__init__", counted)

    async def read(found: list[Source]) -> list[bytes]:
        texts: list[bytes] = [b""] * len(found)

        async def one(at: int) -> None:
            texts[at] = b"".join([piece async for piece in chunks(found[at])])
            assert await trio.to_thread.run_sync(holds_no_image, found[at])

        async with trio.open_nursery() as nursery:
            for at in range(len(found)):
                nursery.start_soon(one, at)
        return texts

    found = list(sources([file]))
    assert trio.run(read, found) == [*(b"data %d" % number * 1000 for number in range(50)), b"another of this name"]
    assert opened == 1
    assert any(path.readlink() == file for path in Path("/proc/self/fd").iterdir() if path.exists())
    del found
    assert not any(path.readlink() == file for path in Path("/proc/self/fd").iterdir() if path.exists())


def test_a_damaged_zip_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK no")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("x", bytes(1000))
    (tmp_path / "b.zip").write_bytes((tmp_path / "b.zip").read_bytes()[:500])
    found = list(sources([tmp_path]))
    assert names(found) == ["a.zip !", "b.zip !"]
    assert all(source.problem.startswith("damaged zip") for source in found)


def test_an_image_may_be_called_zip(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(bytes(128) + b"DICM")
    assert names(list(sources([tmp_path / "a.zip"]))) == ["a.zip"]


@pytest.mark.parametrize(("uid", "skipped"), [("1.2.840.10008.1.3.10", True), ("1.2.840.10008.5.1.4.1.1.2", False)])
def test_a_media_directory_holds_no_image(tmp_path: Path, uid: str, skipped: bool) -> None:
    write_dicomdir(tmp_path / "DICOMDIR-2", ["IMAGES", "1"], uid)
    (found,) = sources([tmp_path])
    assert holds_no_image(found) is skipped


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["IMAGES", "1"], ["1"]),
        (["..", "secret"], ["DICOMDIR !"]),
        (["IMAGES", "LINK"], ["DICOMDIR !"]),
        (["/etc/passwd"], ["DICOMDIR !"]),
        (["IMAGES", "2"], ["2 !"]),
    ],
)
def test_a_dicomdir_never_leads_outside_its_folder(tmp_path: Path, parts: list[str], expected: list[str]) -> None:
    disc = tmp_path / "disc"
    (disc / "IMAGES").mkdir(parents=True)
    (disc / "IMAGES" / "1").write_bytes(b"")
    (tmp_path / "secret").write_bytes(b"")
    (disc / "IMAGES" / "LINK").symlink_to(tmp_path / "secret")
    write_dicomdir(disc / "DICOMDIR", parts)
    assert names(list(sources([disc / "DICOMDIR"]))) == expected


def write_dicomdir(file: Path, parts: list[str], uid: str = "1.2.840.10008.1.3.10") -> None:
    record = Dataset()
    record.add_new("ReferencedFileID", "CS", parts)
    directory = Dataset()
    directory.DirectoryRecordSequence = [record]
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    directory.file_meta.MediaStorageSOPClassUID = uid
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    with pydicom.config.disable_value_validation():
        pydicom.dcmwrite(file, directory, enforce_file_format=True)


@pytest.mark.parametrize("uid", ["../../x", "/abs", "", "1..2", "1.2\0", "a", "1" * 65])
def test_exported_names_stay_in_their_folder(uid: str) -> None:
    instance = Instance(
        study_uid=uid,
        series_uid="1.2",
        sop_instance_uid=uid,
        sop_class_uid="1",
        transfer_syntax_uid="1",
        key="ab" * 16,
        size_bytes=1,
        stamp=1,
        writer="w",
        lsn=1,
    )
    assert str(relative_path(instance)) == f"key-{'ab' * 16}/1.2/key-{'ab' * 16}.dcm"
