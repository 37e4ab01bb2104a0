"""Bulk DIMSE transfer on a connected, non-blocking socket without the GIL (PS3.8 9.3, PS3.7 6.3)."""

from typing import Final

from native.receive import Receiver as Receiver
from native.send import UNSOUND_OBJECT as UNSOUND_OBJECT
from native.send import Sender as Sender
from native.talk import hear as hear
from native.talk import tell as tell

EVENT_NEED: Final[int]  # budget used up, more may come at once
EVENT_MESSAGE: Final[int]  # a whole message that is not C-STORE/C-ECHO: take_message()
EVENT_RELEASE: Final[int]  # A-RELEASE-RQ seen
EVENT_RELEASED: Final[int]  # A-RELEASE-RP seen
EVENT_ABORT: Final[int]  # A-ABORT seen
EVENT_EOF: Final[int]
EVENT_IDLE: Final[int]  # silence for idle_ms
EVENT_CANCEL: Final[int]  # cancel_fd became readable
EVENT_ERROR: Final[int]  # protocol error or I/O error: `reason`
