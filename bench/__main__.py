"""``python -m bench data|store|find``: generated studies, first figures. Wrong answers give no rate."""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import data, lean


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 1 when there is nothing sound to print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("data", help="write generated studies below FOLDER")
    make.add_argument("folder", type=Path)
    make.add_argument("--stub", action="store_true", help="256 bytes of pixels an instance")
    store = commands.add_parser("store", help="C-STORE rate with lean senders")
    store.add_argument("--senders", type=int, default=8)
    find = commands.add_parser("find", help="C-FIND of a stored series' instances, milliseconds")
    find.add_argument("--runs", type=int, default=20)
    for command in (make, store, find):
        command.add_argument("--studies", type=int, default=1)
        command.add_argument("--seed", type=int, default=1)
    for command in (store, find):
        command.add_argument("--port", type=int, required=True)
        command.add_argument("--ae-title", default="FILMROOM")
    asked = parser.parse_args(arguments)
    try:
        run(asked)
    except (RuntimeError, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def run(asked: argparse.Namespace) -> None:
    """Do what was asked; RuntimeError when an answer is wrong."""
    stub = asked.command == "data" and asked.stub
    shape = data.Shape(studies=asked.studies, seed=asked.seed, stub=stub)
    if asked.command == "data":
        print(f"{data.write(shape, asked.folder)} files")
        return
    target = lean.Target(asked.port, asked.ae_title)
    if asked.command == "store":
        files = list(data.files(shape))
        burst = lean.store(target, [files[first :: asked.senders] for first in range(asked.senders)])
        print(f"{burst.instances} instances, {asked.senders} senders: {burst.rate:.0f}/s")
        return
    first = next(data.files(shape))
    times = lean.find_times_ms(target, series_identifier(first), shape.instances, asked.runs)
    print(
        f"{shape.instances} instances of a series: median {statistics.median(times):.2f} ms, least {min(times):.2f} ms"
    )


def series_identifier(file: data.File) -> bytes:
    """C-FIND keys for the instances of the file's series, Implicit VR Little Endian."""
    keys = [
        (0x00080018, ""),
        (0x00080052, "IMAGE"),
        (0x0020000D, file.study_uid),
        (0x0020000E, file.series_uid),
        (0x00200013, ""),
    ]
    return b"".join(implicit(tag, value) for tag, value in keys)


def implicit(tag: int, value: str) -> bytes:
    """One Implicit VR element of plain text."""
    raw = value.encode("ascii")
    raw += (b" " if tag == 0x00080052 else b"\0") * (len(raw) & 1)
    return (
        (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + len(raw).to_bytes(4, "little") + raw
    )


if __name__ == "__main__":
    sys.exit(main())
