"""The sending half of native.wire; use it from there, where it is described."""

from native.wire import Sender as Sender
