"""How the tidy tests read the house: files, imports, functions."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("native", "engine", "protocols", "edge", "bench", "filmroom")


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text("utf-8"))


def python_files(folder: str) -> list[Path]:
    """Every Python file below a folder."""
    return sorted((ROOT / folder).rglob("*.py"))


def native_files() -> list[Path]:
    """Every Cython file."""
    return sorted([*(ROOT / "native").glob("*.pyx"), *(ROOT / "native").glob("*.pxd")])


def imports_of(path: Path, *, with_names: bool = False) -> Iterator[str]:
    """Every module a file imports, by its full name; ``with_names`` adds ``package.name`` of each name imported.

    ``from room.part import module`` counts as ``room.part.module`` when that is a module.
    """
    here = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = (*here[: -node.level],) if node.level else ()
            module = ".".join((*package, *([node.module] if node.module else [])))
            members = [f"{module}.{alias.name}" for alias in node.names]
            inner = [name for name in members if is_module(name)]
            if len(inner) < len(members) or with_names:
                yield module
            yield from inner


@cache
def is_module(name: str) -> bool:
    """Whether one of our rooms has a module of this name."""
    place = ROOT.joinpath(*name.split("."))
    return name.split(".")[0] in ROOMS and (place.with_suffix(".py").exists() or (place / "__init__.py").exists())


@cache
def modules_below(room: str) -> dict[str, Path]:
    """Full module name to file."""
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in python_files(room)}
