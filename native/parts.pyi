"""Parts of stored headers: single elements, private groups, and what headers of one series have in common."""

from collections.abc import Collection

from typing_extensions import Buffer

def representation(tag: int) -> str:
    """The value representation of a public attribute (PS3.6), ``XS`` for one that is US or SS; UN when it is unknown."""

def element(header: Buffer, tag: int) -> bytes:
    """One top-level element, its head included; empty when it is absent."""

def group(header: Buffer, number: int) -> bytes:
    """All elements of one group: a private one with its creators."""

def differing(header: Buffer, other: Buffer, into: set[int]) -> None:
    """Adds the tags of top-level elements that only one header has, or that are not the same bytes in both."""

def cut(header: Buffer, tags: Collection[int]) -> tuple[bytes, bytes]:
    """The elements of ``tags``, and all others. A private group is never cut: one of its tags stands for all."""
