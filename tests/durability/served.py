"""``filmroom serve`` under the trials' small limits, and under the recorder when it is told to be.

Run as ``python -m tests.durability.served STORE [DISK LOG FAULT]``; ``DISK``: the folder that is recorded; ``FAULT``:
JSON of ``recorder.Fault``.
"""

import importlib
import sys
from pathlib import Path


def main() -> None:
    importlib.import_module("tests.durability.preload")
    store, *recorded = sys.argv[1:]
    if recorded:
        import msgspec

        from tests.durability import recorder

        disk, log, fault = recorded
        recorder.start(Path(disk), Path(log), msgspec.json.decode(fault, type=recorder.Fault))
    from filmroom.__main__ import main as filmroom

    filmroom(["serve", store, "--dimse-port", "0", "--http-port", "0"])


if __name__ == "__main__":
    main()
