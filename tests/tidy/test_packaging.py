"""What is shipped is what stands here, and may be shipped."""

import ast
import importlib
import importlib.metadata
import inspect
import re
import tomllib
from pathlib import Path

import pytest

from tests.tidy.reading import ROOMS, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MODULES = sorted(path.stem for path in (ROOT / "native").glob("*.pyx"))


def test_packages_are_the_folders() -> None:
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts) for room in ROOMS for path in (ROOT / room).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders
    assert not [name for name in folders if not (ROOT.joinpath(*name.split(".")) / "py.typed").exists()]


@pytest.mark.parametrize("name", MODULES)
def test_stub_says_what_the_built_module_has(name: str) -> None:
    """Functions and classes are equal, and so is the number of a function's parameters; constants may stay unsaid."""
    stub = ROOT / "native" / f"{name}.pyi"
    assert stub.exists(), f"native/{name}.pyx has no stub"
    module = importlib.import_module(f"native.{name}")
    said = declared(ast.parse(stub.read_text("utf-8")))
    built = {key for key, value in vars(module).items() if is_own(key, value, module.__name__)}
    assert said.keys() - set(vars(module)) == set(), "said, but not there"
    assert built - said.keys() == set(), "there, but not said"
    for key, count in said.items():
        if count is not None and callable(getattr(module, key)) and not inspect.isclass(getattr(module, key)):
            assert len(inspect.signature(getattr(module, key)).parameters) == count, key


def declared(tree: ast.Module) -> dict[str, int | None]:
    """Public name to its number of parameters (None when it is no function)."""
    found: dict[str, int | None] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
        elif isinstance(node, ast.ClassDef):
            found[node.name] = None
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = None
    return {name: count for name, count in found.items() if not name.startswith("_")}


def is_own(name: str, value: object, module: str) -> bool:
    """Whether a public name was made in the module, not imported into it."""
    if name.startswith("_") or inspect.ismodule(value):
        return False
    return callable(value) and getattr(value, "__module__", None) == module


def test_no_licence_of_a_dependency_binds_the_user() -> None:
    """No GPL in what the wheel pulls in; LGPL and MPL do not bind who only uses."""
    for name in sorted(closure(PROJECT["project"]["dependencies"])):
        data = importlib.metadata.metadata(name)
        named = [data.get("License-Expression") or "", (data.get("License") or "")[:200]]
        text = " ".join([*named, *(data.get_all("Classifier") or [])])
        assert not re.search(r"(?<![L])GPL|(?<!Lesser )General Public License", text), f"{name}: {text}"


def closure(requirements: list[str]) -> set[str]:
    """Names of all distributions that these need, without extras."""
    found: set[str] = set()
    todo = list(requirements)
    while todo:
        requirement = todo.pop()
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert name is not None, requirement
        if "extra ==" in requirement or name[0].lower() in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name[0])
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform or Python
        found.add(name[0].lower())
        todo.extend(distribution.requires or [])
    return found


def test_makefile_names_its_targets() -> None:
    """Both commands of the README exist, and all that CONTRIBUTING names."""
    text = Path(ROOT / "Makefile").read_text("utf-8")
    for target in ("demo", "test", "bench", "lint", "wheel", "campaign", "sanitize", "build", "clean"):
        assert re.search(rf"^{target}:", text, re.MULTILINE), target
