"""Ranges of an answer that is one piece of bytes (RFC 9110 14). Pure."""

import re
from typing import Final

import msgspec

from protocols.web.messages import Headers, Request
from protocols.web.problems import Problem

_ONE: Final = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)


class Range(msgspec.Struct, frozen=True):
    """What to send: ``status`` 200 (all) or 206."""

    status: int
    begin: int
    end: int
    headers: Headers


def range_of(request: Request, length: int, etag: str = "") -> Range:
    """The range asked for of ``length`` bytes; all of them when none is, or several are, or it depends on another
    validator than ``etag`` (a weak one never fits). Raises Problem (416)."""
    asked = _ONE.fullmatch(request.header("range"))
    depends_on = request.header("if-range")
    is_other = bool(depends_on) and (depends_on != etag or etag.startswith("W/"))
    if asked is None or asked[0].endswith("=-") or is_other or not (asked[1] or asked[2]):
        return Range(200, 0, length, (("Accept-Ranges", "bytes"),))
    if asked[1]:
        begin, end = int(asked[1]), min(length, int(asked[2]) + 1) if asked[2] else length
        if asked[2] and int(asked[2]) < begin:
            return Range(200, 0, length, (("Accept-Ranges", "bytes"),))
    else:
        begin, end = max(0, length - int(asked[2])), length
    if begin >= end:
        raise Problem(416, "the range is not there", (("Content-Range", f"bytes */{length}"),))
    return Range(206, begin, end, (("Accept-Ranges", "bytes"), ("Content-Range", f"bytes {begin}-{end - 1}/{length}")))
