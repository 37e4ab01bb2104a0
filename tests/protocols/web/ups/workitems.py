"""Workitems as clients send them, and a served worklist to send them to."""

from typing import Any

import httpx

from tests.protocols.web.serving import Served

JSON, XML = "application/dicom+json", "application/dicom+xml"
ALL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
Model = dict[str, dict[str, Any]]


def said(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def code(value: str = "110001", meaning: str = "Image Processing") -> Model:
    return {"00080100": said("SH", value), "00080102": said("SH", "DCM"), "00080104": said("LO", meaning)}


def new(**more: dict[str, Any]) -> Model:
    """What a workitem needs at least; ``more`` by tag, with an underscore before it."""
    model = {
        "00404005": said("DT", "20260301083000"),
        "00404041": said("CS", "READY"),
        "00741200": said("CS", "MEDIUM"),
        "00741204": said("LO", "Lung CAD"),
    }
    return model | {tag.removeprefix("_"): value for tag, value in more.items()}


def performed() -> Model:
    """What completion needs."""
    performance = {
        "00404019": said("SQ", code()),
        "00404028": said("SQ", code("WS1", "Workstation 1")),
        "00404033": said("SQ", {"0020000D": said("UI", "1.2.3")}),
        "00404050": said("DT", "20260301083500"),
        "00404051": said("DT", "20260301084000"),
    }
    return {"00741216": said("SQ", performance)}


def stopped() -> Model:
    """What cancellation needs."""
    progress = {"00404052": said("DT", "20260301090000"), "0074100E": said("SQ", code("110513", "Discontinued"))}
    return {"00741002": said("SQ", progress)}


def progress(percent: str) -> Model:
    return {"00741002": said("SQ", {"00741004": said("DS", percent)})}


class Client:
    """Says things of workitems to a served archive."""

    def __init__(self, served: Served, **headers: str) -> None:
        self.http = served.client
        self._headers = headers

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        extra = {"json": body} if body is not None else {}
        sent = {"Content-Type": JSON} if body is not None else {}
        return await self.http.request(method, f"/workitems{path}", headers=sent | self._headers | headers, **extra)

    async def create(self, uid: str = "1.2.3", **more: dict[str, Any]) -> httpx.Response:
        return await self.send("POST", f"?{uid}", [new(**more)])

    async def update(self, change: Model, transaction: str = "", uid: str = "1.2.3") -> httpx.Response:
        return await self.send("POST", f"/{uid}?{transaction}" if transaction else f"/{uid}", [change])

    async def state(self, wanted: str, transaction: str = "", uid: str = "1.2.3") -> httpx.Response:
        change = {"00741000": said("CS", wanted)}
        if transaction:
            change["00081195"] = said("UI", transaction)
        return await self.send("PUT", f"/{uid}/state", [change])

    async def cancel(self, why: Model | None = None, uid: str = "1.2.3") -> httpx.Response:
        return await self.send("POST", f"/{uid}/cancelrequest", why)

    async def get(self, uid: str = "1.2.3") -> Model:
        answer = await self.send("GET", f"/{uid}")
        assert answer.status_code == 200, answer.text
        (model,) = answer.json()
        return model  # type: ignore[no-any-return]

    async def find(self, query: str = "") -> list[str]:
        answer = await self.send("GET", f"?{query}" if query else "")
        assert answer.status_code == 200, answer.text
        return [row["00080018"]["Value"][0] for row in answer.json()]
