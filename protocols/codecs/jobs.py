"""What the pool and a worker process say to each other, through two pipes and one shared file.

A message is ``u32 length`` (little endian) and so many bytes of msgpack: a Job one way, a Done the other, in turns. The
frame of a Job stands in the shared file from 0 on, and so does the result of a Done without reason.
"""

from struct import Struct
from typing import Literal

import msgspec

from protocols.codecs.look import Look
from protocols.codecs.picture import Picture

LENGTH = Struct("<I")
MESSAGE_BYTES_MAX = 65536


class Job(msgspec.Struct, frozen=True):
    """One frame to fold, unfold or render, and what that may cost."""

    kind: Literal["decode", "encode", "render"]
    transfer_syntax_uid: str
    picture: Picture
    frame_bytes: int
    memory_bytes_max: int
    cpu_seconds_max: int
    look: Look | None = None


class Done(msgspec.Struct, frozen=True):
    """The result, or the reason why there is none."""

    result_bytes: int
    reason: str = ""


def framed(message: Job | Done) -> bytes:
    """A message as it goes through the pipe."""
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body
