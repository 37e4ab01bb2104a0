"""docs/conformance.md and docs/hostile-input.md are true: no row is left out, and a test that one names
exists and names it."""

import re
from pathlib import Path

import pytest

from tests.tidy.reading import ROOT

ROW = re.compile(r"^\| ([CHOB])(\d{2}) \|(.*)\|$", re.MULTILINE)
FILE = re.compile(r"tests/[\w/]+\.py")


def rows(name: str) -> list[tuple[str, list[str]]]:
    """Row number and the files it names."""
    text = (ROOT / "docs" / name).read_text("utf-8")
    return [(letter + number, FILE.findall(rest)) for letter, number, rest in ROW.findall(text)]


def mentions(path: Path, row: str) -> bool:
    """Whether a test names a row: ``C07``, ``C05-C09``, or ``_c07_`` in a test's name."""
    text, number = path.read_text("utf-8"), int(row[1:])
    spans = re.findall(rf"\b{row[0]}(\d\d)-{row[0]}(\d\d)\b", text)
    if any(int(first) <= number <= int(last) for first, last in spans):
        return True
    return re.search(rf"\b{row}\b|_{row.lower()}(?!\d)", text) is not None


@pytest.mark.parametrize(
    ("name", "counts"), [("conformance.md", {"C": 50, "O": 16, "B": 8}), ("hostile-input.md", {"H": 70})]
)
def test_every_row_tells_the_truth(name: str, counts: dict[str, int]) -> None:
    found = rows(name)
    numbers = [f"{letter}{number:02}" for letter, count in counts.items() for number in range(1, count + 1)]
    assert [row for row, _ in found] == numbers
    for row, files in found:
        for file in files:
            assert (ROOT / file).exists(), f"{row}: {file} is not there"
            assert mentions(ROOT / file, row), f"{file} does not name {row}"
