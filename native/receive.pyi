"""The receiving half of native.wire; use it from there, where it is described."""

from native.wire import EVENT_ABORT as EVENT_ABORT
from native.wire import Receiver as Receiver
