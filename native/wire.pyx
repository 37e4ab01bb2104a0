"""The door to bulk transfer: the receiving half is in receive.pyx, the sending half in send.pyx. See wire.pyi."""

from native.receive import (
    EVENT_ABORT,
    EVENT_CANCEL,
    EVENT_EOF,
    EVENT_ERROR,
    EVENT_IDLE,
    EVENT_MESSAGE,
    EVENT_NEED,
    EVENT_RELEASE,
    EVENT_RELEASED,
    Receiver,
)
from native.send import UNSOUND_OBJECT, Sender
from native.talk import hear, tell

__all__ = [
    "EVENT_ABORT",
    "EVENT_CANCEL",
    "EVENT_EOF",
    "EVENT_ERROR",
    "EVENT_IDLE",
    "EVENT_MESSAGE",
    "EVENT_NEED",
    "EVENT_RELEASE",
    "EVENT_RELEASED",
    "UNSOUND_OBJECT",
    "Receiver",
    "Sender",
    "hear",
    "tell",
]
