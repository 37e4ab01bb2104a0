"""Answers taken apart by another reader than ours, and images to ask for."""

import email
from pathlib import Path
from typing import Any

import httpx
import pydicom


def parts(answer: httpx.Response) -> list[tuple[dict[str, str], bytes]]:
    """Headers and data of each part; each Content-Length is right (C37)."""
    assert answer.status_code == 200, answer.text
    assert answer.content.endswith(b"--\r\n")
    message = email.message_from_bytes(b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n")
    boundary = b"--" + str(message.get_param("boundary")).encode()
    found = []
    for part in answer.content.split(boundary)[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        assert len(head) < 1000
        headers = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        assert len(data) - 2 == int(headers["Content-Length"]) and data.endswith(b"\r\n")
        found.append((headers, data[:-2]))
    return found


def path_of(made: pydicom.Dataset) -> str:
    """Where an instance is served."""
    return f"/studies/{made.StudyInstanceUID}/series/{made.SeriesInstanceUID}/instances/{made.SOPInstanceUID}"


def with_pixels(
    made: pydicom.Dataset, data: bytes, *, rows: int, columns: int, bits: int, **more: Any
) -> pydicom.Dataset:
    """The same with native pixels of one sample."""
    facts = {
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "SamplesPerPixel": 1,
        "PixelRepresentation": 0,
        "PhotometricInterpretation": "MONOCHROME2",
    }
    for keyword, value in (facts | more).items():
        setattr(made, keyword, value)
    made.add_new(0x7FE00010, "OW" if bits > 8 else "OB", data + b"\0" * (len(data) % 2))
    return made


def open_objects() -> int:
    """Objects of archives in folders that this process holds open."""
    return sum(str(link.resolve()).endswith(".dcm") for link in Path("/proc/self/fd").iterdir())
