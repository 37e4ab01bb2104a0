"""kill -9 on ``filmroom serve`` while workers create workitems and race for them over the web."""

import http.client
import json
import random
import threading
from pathlib import Path
from typing import Any, Final

from tests.durability.serving import Server

WORKERS: Final = 4
COUNT: Final = 12  # workitems that each makes
TIMEOUT_SECONDS: Final = 60
TYPE: Final = {"Content-Type": "application/dicom+json"}
NEW: Final = {
    "00404005": {"vr": "DT", "Value": ["20260301083000"]},
    "00404041": {"vr": "CS", "Value": ["READY"]},
    "00741200": {"vr": "CS", "Value": ["HIGH"]},
    "00741204": {"vr": "LO", "Value": ["Lung CAD"]},
}


class Told:
    """What the workers were told: workitems that were made, and claims that were won, by UID."""

    def __init__(self) -> None:
        self.created: set[str] = set()
        self.claims: list[tuple[str, str]] = []
        self.count = 0
        self._lock = threading.Lock()

    def note(self, uid: str, transaction: str) -> int:
        with self._lock:
            self.count += 1
            if transaction:
                self.claims.append((uid, transaction))
            else:
                self.created.add(uid)
            return self.count


def kill_server(folder: Path, seed: int) -> list[str]:
    """Three lives; what was answered in all of them is true after each."""
    chance = random.Random(f"work {seed}")
    told = Told()
    for life in range(3):
        with Server(folder / "store") as server:
            kill_after = told.count + chance.randrange(1, WORKERS * COUNT)
            work = threading.Event()
            workers = [
                threading.Thread(target=worked, args=(server, f"1.{life}.{number}", told, kill_after, work))
                for number in range(WORKERS)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(TIMEOUT_SECONDS)
            if any(worker.is_alive() for worker in workers):
                return ["a client waits for an answer that does not come"]
        if problems := examined(folder / "store", told):
            return problems
    return []


def worked(server: Server, name: str, told: Told, kill_after: int, ended: threading.Event) -> None:
    """Make workitems, and race for those that all others make; until the server is gone."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=TIMEOUT_SECONDS)
    life = name.rpartition(".")[0]
    for number in range(COUNT):
        steps: list[tuple[str, str, str, Any, str]] = [
            (f"{name}.{number}", "POST", f"?{name}.{number}", NEW, ""),
            *(claim(f"{life}.{other}.{number}", f"2.25.{name[2:].replace('.', '')}7") for other in range(WORKERS)),
        ]
        for uid, method, path, body, transaction in steps:
            try:
                connection.request(method, f"/dicomweb/workitems{path}", json.dumps([body]), TYPE)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                return
            if answer.status in (200, 201) and told.note(uid, transaction) > kill_after and not ended.is_set():
                ended.set()
                server.process.kill()


def claim(uid: str, transaction: str) -> tuple[str, str, str, Any, str]:
    change = {"00741000": {"vr": "CS", "Value": ["IN PROGRESS"]}, "00081195": {"vr": "UI", "Value": [transaction]}}
    return uid, "PUT", f"/{uid}/state", change, transaction


def examined(store: Path, told: Told) -> list[str]:
    """What is not as it was told: asked of the next life."""
    with Server(store) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=TIMEOUT_SECONDS)
        found = [f"{uid} was created and is not there" for uid in told.created if status(connection, "GET", uid) != 200]
        won = dict(told.claims)
        if len(won) != len(told.claims):
            found.append("a workitem was claimed twice")
        found += [
            f"{uid} is not whose claim was answered"
            for uid, transaction in won.items()
            if status(connection, "POST", f"{uid}?{transaction}") != 200
        ]
        return found


def status(connection: http.client.HTTPConnection, method: str, path: str) -> int:
    """Of a retrieval, or of an update that only the owner may make."""
    body = json.dumps([{"00741204": {"vr": "LO", "Value": ["seen"]}}]) if method == "POST" else None
    connection.request(method, f"/dicomweb/workitems/{path}", body, TYPE)
    answer = connection.getresponse()
    answer.read()
    return answer.status
