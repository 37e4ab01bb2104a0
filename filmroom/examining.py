"""Every check of ``doctor`` on an open node, and those that are left when no archive can be opened."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import trio

import engine
from engine.clock import Clock
from filmroom import archive_checks, machine_checks
from filmroom.check import Check
from filmroom.compose import Node, store_flag
from filmroom.settings import Settings
from filmroom.tls_checks import tls


async def examine(node: Node) -> AsyncGenerator[Check, None]:
    """All that there is to ask."""
    for check in await trio.to_thread.run_sync(list, machine_checks.machine()):
        yield check
    if node.dicom:
        yield Check("ports", "ok", f"this node listens: DICOM {node.dicom}, HTTP {node.http}")
    else:
        for check in await trio.to_thread.run_sync(list, machine_checks.ports(node.settings.serve)):
            yield check
    for check in await trio.to_thread.run_sync(list, tls(node.settings, Clock().now_us())):
        yield check
    flag = store_flag(node.settings.store.url)
    folder = engine.node_folder(node.settings.store)
    if folder is not None:
        last_stamp_us = (await node.archive.status()).last_stamp_us
        work = partial(_of_folder, folder, node.settings, last_stamp_us, flag)
        for check in await trio.to_thread.run_sync(lambda: list(work())):
            yield check
    yield archive_checks.storing(node.archive)
    yield archive_checks.codecs(node.transcoder.codecs)
    async with aclosing(archive_checks.twofold(node.archive, flag)) as checks:
        async for check in checks:
            yield check


def _of_folder(folder: Path, settings: Settings, last_stamp_us: int, flag: str) -> Iterator[Check]:
    yield from machine_checks.disk(folder, settings.store.intake_bytes_max)
    yield machine_checks.syncs(folder)
    yield machine_checks.clock(folder, last_stamp_us, Clock().now_us())
    yield archive_checks.last_verify(folder, flag)


def without_archive(settings: Settings) -> Iterator[Check]:
    """Of the machine alone; nothing is written anywhere."""
    yield from machine_checks.machine()
    yield from machine_checks.ports(settings.serve)
    yield from tls(settings, Clock().now_us())
    folder = engine.node_folder(settings.store)
    if folder is not None:
        there = next(parent for parent in folder.absolute().parents if parent.is_dir())
        yield from machine_checks.disk(there, settings.store.intake_bytes_max)
