"""The walls of the house. Read the tables as the architecture diagram."""

import pytest

from tests.tidy.reading import ROOMS, ROOT, imports_of, modules_below, python_files

# A room may look only inward.
MAY_IMPORT = {
    "native": set(),
    "engine": {"native"},
    "protocols": {"native", "engine"},
    "edge": {"native", "engine", "protocols"},
    "bench": {"native", "engine", "protocols", "edge"},
    "filmroom": {"native", "engine", "protocols", "edge", "bench"},
}
# What another room may name when it looks in. native's modules are doors; the engine's plain values are too.
ENGINE_DOORS = {
    "engine",
    "engine.ports",
    "engine.errors",
    "engine.model",
    "engine.clock",
    "engine.threads",
    "engine.worklist",
}
PROTOCOLS_DOORS = {
    "protocols",
    "protocols.dimse",
    "protocols.web",
    "protocols.query",
    "protocols.security",
    "protocols.transcode",
}
# Two neighbours that must not know each other.
STRANGERS = {"protocols/dimse": "protocols.web", "protocols/web": "protocols.dimse"}
# A foreign library, or a source of time and chance, has one door into the house (bench measures and generates: exempt).
ONE_DOOR = {
    "obstore": {"engine/keep/bucket.py"},
    "tantivy": {"engine/index/shard.py", "engine/index/lowering.py"},
    "hypercorn": {"protocols/web/wire/pages.py"},
    "jinja2": {"protocols/web/status_page/drawn.py"},
    "quart": {"protocols/web/app.py"},
    "quart_trio": {"protocols/web/app.py"},
    "random": {"engine/clock.py"},
    "secrets": {"engine/clock.py"},
    "time": {"engine/clock.py"},
    "uuid": {"engine/clock.py"},
    "datetime": {"engine/clock.py", "engine/keep/bucket.py"},
    "wsproto": {"protocols/web/wire/websocket.py", "protocols/web/forms/handshake.py"},
    "cyclopts": {"filmroom"},
    "rich": {"filmroom"},
    "structlog": {"filmroom"},
    "asyncio": set(),
}
# From the street inward, inside the engine.
FLOORS = (
    {"errors", "limits", "clock", "bell", "threads"},
    {"model", "settings", "ports", "measures"},
    {"levels"},
    {"keep"},
    {"index"},
    {"worklist"},
    {
        "find",
        "fetch",
        "ingest",
        "pacing",
        "settling",
        "spill",
        "store",
        "describe",
        "query",
        "tabular",
        "house",
        "holdings",
        "status",
        "past",
        "salvage",
        "read_ahead",
        "ranged",
        "removal",
        "commitment",
    },
    {"archive"},
    {"flow", "tenants"},
)
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "base", "misc"}


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_looks_only_inward(room: str) -> None:
    for path in python_files(room):
        for name in imports_of(path):
            other = name.split(".")[0]
            assert other == room or other not in MAY_IMPORT or other in MAY_IMPORT[room], (
                f"{path}: {room} imports {name}"
            )


@pytest.mark.parametrize("room", ["protocols", "edge", "bench", "filmroom"])
def test_a_room_is_entered_by_its_front_door(room: str) -> None:
    for path in python_files(room):
        for name in imports_of(path):
            other = name.split(".")[0]
            if other == room or other not in ("engine", "protocols"):
                continue
            doors = ENGINE_DOORS if other == "engine" else PROTOCOLS_DOORS
            assert name in doors, f"{path}: {name} is no front door"


@pytest.mark.parametrize("part", STRANGERS)
def test_strangers_do_not_meet(part: str) -> None:
    for path in python_files(part):
        assert not any(name.startswith(STRANGERS[part]) for name in imports_of(path)), (
            f"{path}: knows {STRANGERS[part]}"
        )


@pytest.mark.parametrize("library", ONE_DOOR)
def test_a_library_has_one_door(library: str) -> None:
    for room in ROOMS:
        if room == "bench":
            continue
        for path in python_files(room):
            place = str(path.relative_to(ROOT))
            if place in ONE_DOOR[library] or room in ONE_DOOR[library]:
                continue
            assert library not in {name.split(".")[0] for name in imports_of(path)}, f"{place} imports {library}"


def test_engine_floors() -> None:
    """archive > ingest, find, fetch > index > keep > model > errors, limits; keep never knows index."""
    height = {name: floor for floor, names in enumerate(FLOORS) for name in names}
    for path in python_files("engine"):
        own = path.relative_to(ROOT / "engine").parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        assert own in height, f"{path}: say on which floor it stands"
        for name in imports_of(path):
            part = part_of(name)
            if name.split(".")[0] != "engine" or part in ("", own):
                continue
            assert part in height, f"{path} imports {name}: the front door is not for the engine itself"
            assert height[part] <= height[own], f"{path}: {part} is not below it"
            assert own != "keep" or part != "index", f"{path}: truth does not depend on what is derived"


@pytest.mark.parametrize("room", ROOMS)
def test_no_circle_of_imports(room: str) -> None:
    """File by file: what a module imports never leads back to it."""
    graph = {
        module: {name for name in imports_of(path, with_names=True) if name in modules_below(room) and name != module}
        for module, path in modules_below(room).items()
        if path.name != "__init__.py"
    }
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, "circle: " + " > ".join((*way, module))
        if module in done or module not in graph:
            return
        for name in sorted(graph[module]):
            visit(name, (*way, module))
        done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_a_name_says_what_a_thing_is() -> None:
    for room in (*ROOMS, "tests"):
        for path in (ROOT / room).rglob("*"):
            assert path.stem.lower() not in FORBIDDEN_NAMES, f"{path}: find the name"
