"""What commands do to an open node, the same whether it was opened for the command or answers on its control socket.

An operation takes the node, ``tell`` and plain parameters, and tells plain items: all of it fits one JSON line each. It
yields nothing: who hangs up cancels it, and a nursery inside it ends in order.
"""

import shlex
import shutil
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import trio

import engine
import filmroom
from engine import Decided, Finding, Invalid, Origin, rows
from engine.clock import Clock
from engine.ports import Peer
from filmroom import examining, exporting, granting, importing, sending, verified
from filmroom.check import Check
from filmroom.compose import Node, dimse_settings, known_as, store_flag
from filmroom.control import Answer, Tell
from filmroom.loading import peer_of
from filmroom.query_text import parse
from protocols import dimse
from protocols.security import client_context

COMMAND = Origin(how="command")
# How often a long operation says how far it is.
PROGRESS_SECONDS = 1.0


async def find(node: Node, tell: Tell, *, words: list[str], limit: int | None, sort: list[str]) -> None:
    """First ``{"total": n, "level": LEVEL}``, then a row a match: keyword to text, and ``uid`` of its level."""
    query = parse(words, limit=limit, sort=sort)
    found = await node.archive.answer(query)
    await tell({"total": found.total, "level": query.level.value})
    for match, texts in zip(found.matches, rows(found), strict=True):
        await tell({"uid": match.sop_instance_uid or match.series_uid or match.study_uid, "row": texts})


async def import_(node: Node, tell: Tell, *, paths: list[str]) -> None:
    """Bad files as they are met, counts now and then, counts at the end."""

    async def report(item: importing.Counts | importing.Bad) -> None:
        await tell(msgspec.to_builtins(item))

    await importing.import_paths(node.archive, [Path(path) for path in paths], report)


async def export(node: Node, tell: Tell, *, words: list[str], folder: str) -> None:
    """Counts now and then, and at the end; what could not be written by its UID."""

    async def report(item: exporting.Exported | exporting.Unwritten) -> None:
        await tell(msgspec.to_builtins(item))

    await exporting.export(node.archive, parse(words), Path(folder), report)


async def send(node: Node, tell: Tell, *, words: list[str], ae_title: str) -> None:
    """Counts now and then, and at the end; what was not sent, by its UID."""
    await sending.send(node.outbound, node.archive, parse(words), _known(node, ae_title), teller(tell))


def teller(tell: Tell) -> sending.Report:
    """Tells as plain items what a sending reports."""

    async def report(item: sending.Progress | sending.Unsent) -> None:
        await tell(msgspec.to_builtins(item))

    return report


async def delete(node: Node, tell: Tell, *, words: list[str], reason: str, dry_run: bool) -> None:
    """What was hidden, or would be."""
    decided = await node.archive.decide("delete", parse(words), reason=reason, origin=COMMAND, dry_run=dry_run)
    await tell(_counts(decided))


async def restore(node: Node, tell: Tell, *, words: list[str], reason: str) -> None:
    """What came back."""
    await tell(_counts(await node.archive.decide("restore", parse(words), reason=reason, origin=COMMAND)))


async def versions(node: Node, tell: Tell, *, sop_instance_uid: str, promote: str, reason: str) -> None:
    """Every version of the instances under this UID (one in each study and series that has it); the current first."""
    found = await node.archive.instances(parse(["level=instance", f"SOPInstanceUID={sop_instance_uid}"]))
    for one in found:
        name = (one.study_uid, one.series_uid, one.sop_instance_uid)
        kept = await node.archive.versions(*name)
        if promote and any(version.key == promote for version in kept):
            await node.archive.promote(*name, promote, reason=reason)
            kept = await node.archive.versions(*name)
        for version in kept:
            await tell({"study": one.study_uid, "series": one.series_uid, **msgspec.to_builtins(version)})


def _counts(decided: Decided) -> dict[str, int]:
    return {"study_count": decided.study_count, "instance_count": decided.instance_count}


async def verify(node: Node, tell: Tell, *, deep: bool) -> None:
    """Each finding; how far it is, every second and at the end, then with the number of findings."""
    done = {"objects": 0, "size_bytes": 0}
    started = trio.current_time()
    count = damaged = 0

    async def tell_progress() -> None:
        while True:
            await trio.sleep(PROGRESS_SECONDS)
            await tell(done)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_progress)
        async for finding in node.archive.verify(
            deep=deep, progress=lambda objects, size: done.update(objects=objects, size_bytes=size)
        ):
            count += 1
            damaged += finding.is_damage
            await tell(_told(finding))
        nursery.cancel_scope.cancel()
    seconds = round(trio.current_time() - started, 3)
    if folder := engine.node_folder(node.settings.store):
        found = verified.Verified(Clock().now_us(), deep, done["objects"], damaged)
        await trio.to_thread.run_sync(verified.write, folder, found)
    await tell({**done, "seconds": seconds, "findings": count, "damaged": damaged})


def _told(finding: Finding) -> dict[str, Any]:
    return {"kind": finding.kind, "key": finding.key, "sentence": finding.sentence, "damage": finding.is_damage}


async def reindex(node: Node, tell: Tell) -> None:
    """What is wrong with the journal, each as verify tells it; then the records folded."""
    records = await node.archive.reindex()
    findings = await node.archive.verify_journal()
    for finding in findings:
        await tell(_told(finding))
    await tell({"records": records, "damaged": len(findings)})


async def doctor(node: Node, tell: Tell, *, version: str) -> None:
    """Each check. ``version``: of the command that asks."""
    if version != filmroom.__version__:
        found = f"the node runs {filmroom.__version__}, this command is {version}"
        await tell(msgspec.to_builtins(Check("version", "warn", found, "restart the node")))
    async with aclosing(examining.examine(node)) as checks:
        async for check in checks:
            await tell(msgspec.to_builtins(check))


async def status(node: Node, tell: Tell) -> None:
    """Figures of the node; of what runs, where it listens and for how long."""
    folder = engine.node_folder(node.settings.store)
    free_bytes = (await trio.to_thread.run_sync(shutil.disk_usage, folder)).free if folder else None
    await tell(
        {
            "version": filmroom.__version__,
            "running": bool(node.dicom),
            "dicom": node.dicom,
            "http": node.http,
            "ae_title": node.settings.serve.ae_title.strip(),
            "uptime_seconds": int(trio.current_time() - node.served_since) if node.dicom else 0,
            "peer_count": len(node.peers.all()),
            "free_bytes": free_bytes,
            "grace_days": node.settings.store.grace_days,
            **msgspec.to_builtins(await node.archive.status()),
            "url": str(folder.parent.absolute()) if folder else node.settings.store.url,
        }
    )


async def aet_add(node: Node, tell: Tell, **said: Any) -> None:
    """The peer as it is known from now on. ``said``: what ``[[peer]]`` may say."""
    peer = sound_peer(said, "aet add")
    node.peers.add(peer)
    await tell({"ae_title": peer.ae_title, "host": peer.host, "port": peer.port})


def sound_peer(said: dict[str, Any], where: str) -> Peer:
    """Raises Invalid, also for a file of authorities that cannot be used."""
    peer = known_as(peer_of(said, where))
    if peer.tls:
        client_context(peer.tls_ca)
    return peer


async def aet_ls(node: Node, tell: Tell) -> None:
    """Every known peer."""
    for peer in node.peers.all():
        origin = "configuration" if node.peers.is_configured(peer.ae_title) else "added"
        await tell({**msgspec.structs.asdict(peer), "origin": origin})


async def aet_rm(node: Node, tell: Tell, *, ae_title: str) -> None:
    """The title that is forgotten."""
    node.peers.remove(ae_title)
    await tell({"ae_title": ae_title.strip()})


async def aet_test(node: Node, tell: Tell, *, ae_title: str) -> None:
    """Whether the peer answered a C-ECHO, and if not, why; whether it has called this node, and where that listens."""
    peer = _known(node, ae_title)
    answered, reason = await echo(node, peer)
    item = {"ae_title": peer.ae_title, "host": peer.host, "port": peer.port, "answered": answered, "reason": reason}
    call = node.callers.last(peer.ae_title)
    item["called_seconds_ago"] = None if call is None else round(trio.current_time() - call.at_seconds, 1)
    item["called_from"], item["call_refused"] = ("", "") if call is None else (call.address, call.refused)
    await tell({**item, "own_ae_title": dimse_settings(node.settings).ae_title, "own_address": node.dicom})


async def echo(node: Node, peer: Peer) -> tuple[bool, str]:
    """Whether a peer answers a C-ECHO; if not, why."""
    try:
        status = await dimse.echo(peer, dimse_settings(node.settings))
    except Exception as error:  # noqa: BLE001 - whatever keeps the peer from answering is the answer
        return False, str(error) or type(error).__name__
    return status == 0, "" if status == 0 else f"status {status:04X}"


def _known(node: Node, ae_title: str) -> Peer:
    """Raises Invalid that names the command which would make it known: we connect to no other place."""
    peer = node.peers.lookup(ae_title)
    if peer is None:
        title, _, address = ae_title.strip().rpartition("@") if "@" in ae_title else (ae_title.strip(), "", "HOST:PORT")
        flag = store_flag(node.settings.store.url)
        raise Invalid(f"no peer is called {ae_title.strip()!r}: filmroom aet add {shlex.quote(title)} {address}{flag}")
    return peer


OPERATIONS: dict[str, Callable[..., Awaitable[None]]] = {
    "find": find,
    "import": import_,
    "export": export,
    "send": send,
    "delete": delete,
    "restore": restore,
    "versions": versions,
    "verify": verify,
    "reindex": reindex,
    "doctor": doctor,
    "status": status,
    "aet add": aet_add,
    "aet ls": aet_ls,
    "aet rm": aet_rm,
    "aet test": aet_test,
    "token new": granting.token_new,
    "token ls": granting.token_ls,
    "token rm": granting.token_rm,
}


def answer(node: Node) -> Answer:
    """What the control socket of this node answers. Raises Invalid for what it does not know."""

    async def run(do: str, parameters: dict[str, Any], tell: Tell) -> None:
        operation = OPERATIONS.get(do)
        if operation is None:
            raise Invalid(f"this node does not know {do[:32]!r}: is it an older version?")
        await operation(node, tell, **parameters)

    return run
