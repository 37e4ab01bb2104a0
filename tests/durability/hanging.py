"""An intake on a disk that hangs in a sync: ``python -m tests.durability.hanging ROOT LOG ERROR``, preloaded.

Says as JSON what each sender was told: the one that leads the sync, those that follow it, one that comes late, and one
after the disk has come back (with ``ERROR``, if it is not 0).
"""

import json
import sys
import threading
from pathlib import Path

from engine.clock import Clock
from engine.errors import FilmroomError
from engine.keep.intake import Intake
from engine.keep.node_directory import DiskNode
from engine.limits import MIB, Limits
from engine.model import Origin
from engine.settings import StoreSettings
from tests.durability import recorder
from tests.durability.recorder import NO_FAULT, Call, Fault, When

LIMITS = Limits(segment_bytes=2 * MIB, gather_bytes_max=MIB // 4, intake_wait_ms_max=1500, reserve_bytes=MIB)
FOLLOWERS = 3


def main() -> None:
    root, log, error = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    recorder.start(root, log)
    intake = Intake(DiskNode(root), StoreSettings(), Clock(), sync_objects=lambda: None, limits=LIMITS)
    told: dict[str, str] = {}

    def send(name: str) -> None:
        try:
            intake.wait(intake.store(Origin(how="dimse"), [name.encode()]))
            told[name] = "kept"
        except FilmroomError as failure:
            told[name] = f"{type(failure).__name__}: {failure}"

    recorder.aim(Fault(call=Call.fdatasync, when=When.hang, error=error, first=1, last=1 << 30))
    leader = threading.Thread(target=send, args=("leader",))
    leader.start()
    while not intake.log.statistics()["waiting"]:  # it leads as soon as it waits
        intake.log.await_need(10)
    followers = [threading.Thread(target=send, args=(f"follower {number}",)) for number in range(FOLLOWERS)]
    for follower in followers:
        follower.start()
    for follower in followers:
        follower.join()
    while not intake.log.suspect():
        intake.log.await_need(10)
    send("late")
    told["trouble"] = intake.trouble()
    told["acknowledged"] = str(intake.log.acknowledged_lsn())
    recorder.aim(NO_FAULT)
    leader.join()
    send("after")
    told["trouble after"] = intake.trouble()
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
