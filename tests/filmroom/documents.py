"""The blocks of our documents, to be tried as a reader tries them."""

import os
import re
import sys
from pathlib import Path

import msgspec

from tests.filmroom.running import ENVIRONMENT
from tests.tidy.reading import ROOT

# A Python that has Filmroom installed, to try the documents with that one: then the checkout is not on its path.
INSTALLED = os.environ.get("FILMROOM_INSTALLED", "")
PYTHON = INSTALLED or sys.executable
READERS = {name: value for name, value in ENVIRONMENT.items() if not (INSTALLED and name == "PYTHONPATH")}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


class Block(msgspec.Struct, frozen=True):
    """One fenced block: below which heading, in what language; ``expected``: the ``text`` block right behind it."""

    heading: str
    language: str
    code: str
    line: int
    expected: str | None = None


def blocks(document: str) -> list[Block]:
    """Those of a document of the repository, in order."""
    text = (ROOT / document).read_text("utf-8")
    fences = list(_FENCE.finditer(text))
    found = []
    for fence, behind in zip(fences, [*fences[1:], None], strict=True):
        if fence[1] == "text":
            continue
        is_expected = behind is not None and behind[1] == "text" and not text[fence.end() : behind.start()].strip()
        headings = _HEADING.findall(_FENCE.sub("", text[: fence.start()]))
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(headings[-1], fence[1], fence[2], line, behind[2] if behind and is_expected else None))
    return found


def write_if_named(block: Block, folder: Path) -> bool:
    """Whether it is a file of its own (``# conftest.py``), which is written then."""
    named = re.match(r"# (\w+\.py)\n", block.code)
    if named is not None:
        (folder / named[1]).write_text(block.code)
    return named is not None
