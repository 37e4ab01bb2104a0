"""Workitems and what is said of them, as tests write them."""

from native.dataset import element, merge
from native.explicit import item


def text(tag: int, vr: str, value: str) -> bytes:
    return element(tag, vr, value.encode())


def nested(tag: int, *parts: bytes) -> bytes:
    return element(tag, "SQ", b"".join(map(item, parts)))


def code(value: str = "110001", meaning: str = "Image Processing") -> bytes:
    return text(0x00080100, "SH", value) + text(0x00080102, "SH", "DCM") + text(0x00080104, "LO", meaning)


START, READINESS, PRIORITY, LABEL = 0x00404005, 0x00404041, 0x00741200, 0x00741204
NAME, PERFORMED, PROGRESS, STATION = 0x00100010, 0x00741216, 0x00741002, 0x00404025
DUE = {
    START: text(START, "DT", "20260301083000"),
    READINESS: text(READINESS, "CS", "READY"),
    PRIORITY: text(PRIORITY, "CS", "HIGH"),
    LABEL: text(LABEL, "LO", "Lung CAD"),
}
NEW = merge(DUE.values())
PERFORMANCE = {
    0x00404028: nested(0x00404028, code("WS1", "Workstation 1")),
    0x00404050: text(0x00404050, "DT", "20260301083500"),
    0x00404019: nested(0x00404019, code()),
    0x00404051: text(0x00404051, "DT", "20260301084000"),
    0x00404033: nested(0x00404033, text(0x0020000D, "UI", "1.2.3")),
}
DONE = nested(PERFORMED, merge(PERFORMANCE.values()))
STOP = {
    0x00404052: text(0x00404052, "DT", "20260301090000"),
    0x0074100E: nested(0x0074100E, code("110513", "Discontinued for unspecified reason")),
}
STOPPED = nested(PROGRESS, merge(STOP.values()))


def progress(percent: str) -> bytes:
    return nested(PROGRESS, text(0x00741004, "DS", percent))


def without(said: dict[int, bytes], tag: int) -> bytes:
    return merge(value for key, value in said.items() if key != tag)
