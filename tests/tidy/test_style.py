"""How files, functions and names may look."""

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

from tests.tidy.reading import ROOMS, ROOT, native_files, python_files, tree_of

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
# DESIGN: median about 120; above this files have begun to swell.
FILE_LINES_MEDIAN_MAX = 160
PRODUCTION = [path for room in ROOMS for path in python_files(room)]
TESTS = python_files("tests")
EVERYTHING = [*PRODUCTION, *TESTS, *native_files()]
# Where code comes from must not show: the repository stands alone. (In pieces, so that this file passes itself.)
WORKPLACE = re.compile(
    "|".join(("/" + "work/", "sub" + "agent", "clau" + "de", "anthro" + "pic", "co" + "-authored")), re.IGNORECASE
)
DEFINITION = re.compile(r"^( *)(?:c?p?def|async def)\s[^=]*[(:]")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lengths_of(path: Path) -> list[tuple[str, int]]:
    """Name and lines of every function of a Python file."""
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def native_lengths_of(path: Path) -> list[tuple[str, int]]:
    """The same for Cython: a function ends before the next line that is not indented deeper."""
    lines = path.read_text("utf-8").splitlines()
    found = []
    for start, line in enumerate(lines):
        match = DEFINITION.match(line)
        if match is None or line.lstrip().startswith(("cdef class", "cdef struct", "cdef enum", "cdef extern")):
            continue
        last = start
        for at in range(start + 1, len(lines)):
            text = lines[at]
            if text.strip() and not text.startswith((match[1] + " ", match[1] + ")")):
                break
            last = at if text.strip() else last
        found.append((line.strip(), last - start + 1))
    return found


@pytest.mark.parametrize("path", EVERYTHING, ids=shown)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= FILE_LINES_MAX


def test_files_are_short_on_the_whole() -> None:
    lines = [len(path.read_text("utf-8").splitlines()) for path in PRODUCTION if path.name != "__init__.py"]
    assert statistics.median(lines) <= FILE_LINES_MEDIAN_MAX


@pytest.mark.parametrize("path", EVERYTHING, ids=shown)
def test_no_function_is_long(path: Path) -> None:
    lengths = lengths_of(path) if path.suffix == ".py" else native_lengths_of(path)
    assert not [one for one in lengths if one[1] > FUNCTION_LINES_MAX]


@pytest.mark.parametrize("path", PRODUCTION, ids=shown)
def test_what_is_public_is_documented(path: Path) -> None:
    tree = tree_of(path)
    if path.name == "__init__.py" and not tree.body:
        return
    assert ast.get_docstring(tree), "the module"
    for node in tree.body:
        is_definition = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if is_definition and not node.name.startswith("_") and not says_itself(node):
            assert ast.get_docstring(node), f"{node.name} (line {node.lineno})"


def says_itself(node: ast.AST) -> bool:
    """A function of one or two statements needs no further sentence."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(node.body) <= 2


@pytest.mark.parametrize("path", [*PRODUCTION, *TESTS], ids=shown)
def test_no_bare_except_and_no_asyncio(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"line {node.lineno}: bare except"
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        assert "asyncio" not in {name.split(".")[0] for name in (*names, module)}, f"line {node.lineno}: asyncio"


@pytest.mark.parametrize("path", [*PRODUCTION, *TESTS], ids=shown)
def test_no_generator_yields_inside_a_nursery(path: Path) -> None:
    """Who stops reading throws GeneratorExit into it, and the nursery wraps it into a group that nobody awaits: one
    interrupted command ended the node. (A context manager's single ``yield`` is not stopped half-way.)"""
    for function in ast.walk(tree_of(path)):
        managers = [ast.unparse(one) for one in getattr(function, "decorator_list", ())]
        if isinstance(function, ast.AsyncFunctionDef) and "asynccontextmanager" not in managers:
            for block in ast.walk(function):
                if isinstance(block, ast.AsyncWith) and "open_nursery" in ast.unparse(block.items[0]):
                    assert not any(isinstance(one, ast.Yield) for one in ast.walk(block)), f"line {block.lineno}"


@pytest.mark.parametrize("path", TESTS, ids=shown)
def test_no_test_sleeps_for_a_condition(path: Path) -> None:
    """Wait for the thing itself: an event, a line of output, a readable descriptor, an answer."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name != "sleep", f"line {node.lineno}"


@pytest.mark.parametrize("path", PRODUCTION, ids=shown)
def test_nothing_is_raised_from_a_group(path: Path) -> None:
    """What ``except*`` raises comes as a group of one before Python 3.11.4: who waits for the error misses it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.TryStar):
            raised = [inner for handler in node.handlers for inner in ast.walk(handler) if isinstance(inner, ast.Raise)]
            assert not raised, f"line {node.lineno}"


def test_no_word_of_the_workplace() -> None:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if names.returncode:
        pytest.skip("no git here: what is committed is not known")
    for name in filter(None, names.stdout.split("\0")):
        path = ROOT / name
        if path.exists() and path.suffix not in (".dcm", ".png"):
            found = WORKPLACE.search(path.read_text("utf-8", "replace"))
            assert not found, f"{name}: {found}"
