"""The process behind ``filmroom.testing.server``: it ends when who started it lets go of its input, or is gone.

Run as ``python -c ... ASKED``; it says where it is in one line of JSON on standard output, its log on standard error.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import trio

from engine import FilmroomError, Invalid
from filmroom import logs
from filmroom.compose import Node
from filmroom.loading import load
from filmroom.serve import run
from filmroom.setting_fields import fields_of
from filmroom.settings import SECTIONS


class Asked(msgspec.Struct, frozen=True):
    """What to serve. ``flags``: dotted settings; ``parent``: the process that asks."""

    flags: dict[str, object]
    peers: list[dict[str, object]]
    parent: int


class Ready(msgspec.Struct, frozen=True):
    """Where it is: HOST:PORT."""

    dicom: str
    http: str


def main(words: str) -> None:
    """Serve until the end. Raises SystemExit with a sentence when that cannot be."""
    asked = msgspec.json.decode(words, type=Asked)
    try:
        _serve(asked)
    except FilmroomError as error:
        raise SystemExit(str(error)) from None


def _serve(asked: Asked) -> None:
    for name in asked.flags:
        section, _, field = name.partition(".")
        if section not in SECTIONS or field not in fields_of(SECTIONS[section]):
            raise Invalid(
                f"there is no setting {name!r:.80}: they are as in `filmroom config init`, serve.ae_title say"
            )
    nothing: dict[str, str] = {}  # neither the user's file nor his environment says how tests are served
    settings = load(Path(os.devnull), {**asked.flags, "peer": asked.peers}, nothing).settings
    logs.set_up(settings.serve.log_format, settings.serve.log_level)

    async def ready(node: Node) -> None:
        print(msgspec.json.encode(Ready(node.dicom, node.http)).decode(), flush=True)
        await any_of(input_ended, lambda: process_ended(asked.parent))
        node.shutdown.set()

    trio.run(run, settings, ready)


async def any_of(*events: Callable[[], Awaitable[None]]) -> None:
    """Until the first of them."""
    async with trio.open_nursery() as nursery:

        async def wait(event: Callable[[], Awaitable[None]]) -> None:
            await event()
            nursery.cancel_scope.cancel()

        for event in events:
            nursery.start_soon(wait, event)


async def input_ended() -> None:
    """Until nobody holds the other end of standard input."""
    while True:
        await trio.lowlevel.wait_readable(sys.stdin.fileno())
        if not os.read(sys.stdin.fileno(), 4096):
            return


async def process_ended(process_id: int) -> None:
    """Until our parent is gone: a child of its own may hold our input still. For ever where that cannot be seen (Linux
    before 5.3)."""
    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return
    except OSError:
        await trio.sleep_forever()
    try:
        if os.getppid() == process_id:  # else another process has its number by now
            await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
