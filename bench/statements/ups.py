"""The worklist over the web (PS3.18 11): C49."""

import json
from typing import Any

from bench.data import CT, ROOT
from bench.statements.answers import Answer
from bench.statements.statement import WEB, WRITE, Family, Untried, holds
from bench.statements.subject import Subject
from bench.statements.web import JSON

family = Family()
states = family.states

NOT_OFFERED = (403, 404, 405, 501)
CODE = {
    "00080100": {"vr": "SH", "Value": ["CONF"]},
    "00080102": {"vr": "SH", "Value": ["99CONF"]},
    "00080104": {"vr": "LO", "Value": ["Synthetic"]},
}
OUTPUT = {
    "00081199": {
        "vr": "SQ",
        "Value": [
            {"00081150": {"vr": "UI", "Value": [CT]}, "00081155": {"vr": "UI", "Value": [f"{ROOT}.9.1"]}},
        ],
    },
    "0020000D": {"vr": "UI", "Value": [f"{ROOT}.9.2"]},
    "0020000E": {"vr": "UI", "Value": [f"{ROOT}.9.3"]},
    "0040E020": {"vr": "CS", "Value": ["DICOM"]},
    "0040E021": {"vr": "SQ", "Value": [{"00080054": {"vr": "AE", "Value": ["CONFORMANCE"]}}]},
}
# What must be known of a step before it may be completed (PS3.4 table CC.2.5-3, final state P).
PERFORMED = {
    "00404019": {"vr": "SQ", "Value": [CODE]},
    "00404028": {"vr": "SQ", "Value": [CODE]},
    "00404033": {"vr": "SQ", "Value": [OUTPUT]},
    "00404050": {"vr": "DT", "Value": ["20240101120000"]},
    "00404051": {"vr": "DT", "Value": ["20240101130000"]},
}
UPS_PUSH = "1.2.840.10008.5.1.4.34.6.1"


def _workitem(subject: Subject, uid: str) -> dict[str, Any]:
    """What may not be missing when it is made (PS3.4 table CC.2.5-3)."""
    values: dict[str, tuple[str, list[Any]]] = {
        "00080016": ("UI", [UPS_PUSH]),
        "00080018": ("UI", [uid]),
        "00081195": ("UI", []),
        "00081080": ("LO", []),
        "00081084": ("SQ", []),
        "00100010": ("PN", [{"Alphabetic": "Other^Synthetic"}]),
        "00100020": ("LO", [f"OTHER-{subject.run.mark}"]),
        "00100021": ("LO", []),
        "00100024": ("SQ", []),
        "00100030": ("DA", []),
        "00100040": ("CS", []),
        "00101002": ("SQ", []),
        "0020000D": ("UI", []),
        "00380010": ("LO", []),
        "00380014": ("SQ", []),
        "00404005": ("DT", ["20240101120000"]),
        "00404018": ("SQ", [CODE]),
        "00404021": ("SQ", []),
        "00404025": ("SQ", []),
        "00404026": ("SQ", []),
        "00404027": ("SQ", []),
        "00404034": ("SQ", []),
        "00404041": ("CS", ["READY"]),
        "00741000": ("CS", ["SCHEDULED"]),
        "0040A370": ("SQ", []),
        "00741200": ("CS", ["MEDIUM"]),
        "00741202": ("LO", ["Conformance"]),
        "00741204": ("LO", ["Conformance, synthetic"]),
        "00741210": ("SQ", []),
        "00741224": ("SQ", []),
    }
    return {tag: {"vr": vr, **({"Value": found} if found else {})} for tag, (vr, found) in sorted(values.items())}


async def _send(subject: Subject, method: str, path: str, row: dict[str, Any] | None = None) -> Answer:
    body = json.dumps([row]).encode() if row is not None else b""
    return await subject.web.ask(method, path, {"Content-Type": JSON, "Accept": JSON}, body)


async def _to(subject: Subject, uid: str, state: str, transaction: str = "") -> Answer:
    row: dict[str, Any] = {"00741000": {"vr": "CS", "Value": [state]}}
    if transaction:
        row["00081195"] = {"vr": "UI", "Value": [transaction]}
    return await _send(subject, "PUT", f"/workitems/{uid}/state", row)


@states("C49", needs={WEB, WRITE})
async def a_workitem(subject: Subject) -> None:
    """If UPS-RS is offered: 201 with Location; states change with the Transaction UID alone; 409 when it is done."""
    uid, transaction = f"{subject.run.root}.49.1", f"{subject.run.root}.49.2"
    made = await _send(subject, "POST", f"/workitems?{uid}", _workitem(subject, uid))
    if made.status in NOT_OFFERED:
        raise Untried(f"UPS-RS is not offered: {made.asked}: {made.status}")
    holds(uid in made.expect(201).headers.get("location", ""), f"Location: {made.headers.get('location', 'none')}")
    (await subject.web.get(f"/workitems/{uid}")).expect(200)
    without = await _to(subject, uid, "IN PROGRESS")
    holds(without.status == 400, f"IN PROGRESS without a Transaction UID: {without.status}")
    (await _to(subject, uid, "IN PROGRESS", transaction)).expect(200)
    wrong = await _to(subject, uid, "COMPLETED", f"{transaction}.1")
    holds(wrong.status == 400, f"another Transaction UID: {wrong.status}")
    done = {"00741216": {"vr": "SQ", "Value": [PERFORMED]}}
    (await _send(subject, "POST", f"/workitems/{uid}?{transaction}", done)).expect(200)
    (await _to(subject, uid, "COMPLETED", transaction)).expect(200)
    late = await _send(subject, "POST", f"/workitems/{uid}/cancelrequest")
    holds(late.status == 409, f"a cancel request of what is done: {late.status}")
