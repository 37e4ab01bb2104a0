"""Whose node a folder is: what waits in its intake goes into the archive it was acknowledged for, into no other."""

from contextlib import suppress
from typing import Final

from engine.errors import Conflict, Unavailable
from engine.keep.node_directory import NodeDirectory
from engine.keep.sealed import seal, unseal

FILE: Final = "archive"  # holds the identity of the archive that this node served last


def keep_to_archive(node: NodeDirectory, identity: str, *, holds_some: bool) -> None:
    """``identity``: of the archive that is being opened (``Journal.identity``), empty when it is not known.
    ``holds_some``: whether instances wait in the intake.

    Raises Conflict when they were acknowledged for another archive, Corrupt.
    """
    file = node.read(FILE)
    known = None if file is None else unseal(file, "the file that names this node's archive").decode()
    if not identity or known == identity:
        return
    if known is not None and holds_some:
        raise Conflict(
            "instances that were acknowledged for another archive wait in this node's folder: "
            "open that archive once more, or name another folder (store.node_dir)"
        )
    with suppress(Unavailable):  # a full disk: the next start writes it
        node.replace(FILE, seal(identity.encode()))
