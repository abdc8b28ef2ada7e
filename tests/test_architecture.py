"""The floors of the house: imports point down only, and each heavy library has one home."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import taplogs

ROOT = Path(taplogs.__file__).parent
LONGEST_MODULE = 400

FLOORS = {
    "taplogs": 0,
    "errors": 0,
    "core": 1,
    "sources": 2,
    "backend": 2,
    "gateway": 2,
    "audit": 3,
    "archive": 3,
    "output": 3,
    "settings": 3,
    "credentials": 3,
    "cli": 4,
    "__main__": 5,
}
"""Which floor each part of the package is on; `taplogs` is `__init__.py` itself."""

OTHERS = 3
"""The floor of a part that is not named: beside the settings, below the command line."""

HOMES = {"typer": {"cli"}, "rich": {"output"}}
"""The parts that alone may import a library."""

NOT_IN_CORE = {"typer", "rich", "httpx", "httpcore", "werkzeug", "waitress", "sqlite3", "socket", "urllib.request"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to."""
    return module.split(".")[1] if "." in module else module


def floor_of(name: str) -> int:
    """Return the floor of a module, or of the module that a name is imported from."""
    part = part_of(name)
    if part not in FLOORS and f"taplogs.{part}" not in PATHS:  # a name of `__init__.py`
        return FLOORS["taplogs"]
    return FLOORS.get(part, OTHERS)


def imports(source: str, module: str, *, is_package: bool = False, at_start_only: bool = False) -> Iterator[str]:
    """Yield the full name of all that a module imports, wherever the import stands, or only when it is loaded."""
    tree = ast.parse(source)
    for node in on_loading(tree) if at_start_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def on_loading(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run when a module is imported: not the bodies of functions, nor what is for types alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from on_loading(child)


def offences(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return what is wrong with the imports of one module, in words."""
    part, floor = part_of(module), FLOORS.get(part_of(module), OTHERS)
    away = {library for library, homes in HOMES.items() if part not in homes} | (
        NOT_IN_CORE if part == "core" else set()
    )
    found = []
    for name in imports(source, module, is_package=is_package):
        if within(name, "taplogs"):
            if floor_of(name) > floor:
                found.append(f"{module} (floor {floor}) imports {name} (floor {floor_of(name)})")
        elif any(within(name, library) for library in away):
            found.append(f"{module} imports {name}")
    return found


def within(name: str, library: str) -> bool:
    return f"{name}.".startswith(f"{library}.")


def test_the_package_is_looked_at() -> None:
    assert {"taplogs", "taplogs.errors", "taplogs.core.query", "taplogs.sources.protocol"} <= set(PATHS)


def test_every_floor_is_that_of_a_part_known_by_name() -> None:
    assert {"core", "sources", "backend", "errors"} <= {part_of(module) for module in PATHS} & set(FLOORS)


@pytest.mark.parametrize("module", PATHS)
def test_imports_point_down_and_libraries_stay_at_home(module: str) -> None:
    path = PATHS[module]
    assert offences(path.read_text("utf-8"), module, is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize("module", PATHS)
def test_no_module_is_too_long_to_be_read_at_once(module: str) -> None:
    lines = len(PATHS[module].read_text("utf-8").splitlines())
    assert lines <= LONGEST_MODULE


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return one circle of imports, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def test_no_module_needs_itself_to_be_loaded() -> None:
    graph: dict[str, set[str]] = {}
    for module, path in PATHS.items():
        names = set(imports(path.read_text("utf-8"), module, is_package=path.name == "__init__.py", at_start_only=True))
        names |= {name.rpartition(".")[0] for name in names}
        graph[module] = (names & set(PATHS)) - {module}
    assert cycle(graph) == []


@pytest.mark.parametrize(
    ("module", "source", "culprit"),
    [
        ("taplogs.core.x", "import taplogs.sources.file", "taplogs.sources.file (floor 2)"),
        ("taplogs.core.x", "from taplogs import cli", "taplogs.cli (floor 4)"),
        ("taplogs.core.x", "from ..output import table", "taplogs.output.table (floor 3)"),
        ("taplogs.core.x", "def f():\n    from taplogs.cli.app import main", "taplogs.cli.app.main (floor 4)"),
        ("taplogs.errors", "from .core import entry", "taplogs.core.entry (floor 1)"),
        ("taplogs.cli.x", "import taplogs.__main__", "taplogs.__main__ (floor 5)"),
        ("taplogs.sources.x", "from taplogs.settings import Profile", "taplogs.settings.Profile (floor 3)"),
        ("taplogs.new", "from taplogs.cli.app import main", "taplogs.cli.app.main (floor 4)"),
        ("taplogs.core.x", "import rich", "rich"),
        ("taplogs.cli.x", "from rich.table import Table", "rich.table.Table"),
        ("taplogs.output.x", "if 1:\n    import typer", "typer"),
        ("taplogs.new", "import typer", "typer"),
        ("taplogs.core.x", "def f():\n    import sqlite3", "sqlite3"),
        ("taplogs.core.x", "from urllib import request", "urllib.request"),
    ],
)
def test_an_import_that_points_up_or_out_would_be_found(module: str, source: str, culprit: str) -> None:
    found = offences(source, module)
    assert len(found) == 1
    assert found[0].startswith(module)
    assert found[0].endswith(f" imports {culprit}")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("taplogs.core.x", "from urllib.parse import urlsplit"),
        ("taplogs.core.x", "import richer, typer_like"),
        (
            "taplogs.core.x",
            "from taplogs import __version__\nfrom taplogs.errors import UsageError\nfrom . import entry",
        ),
        ("taplogs.output.x", "import rich\nfrom taplogs.settings import Profile\nfrom taplogs.core import entry"),
        ("taplogs.cli.x", "import typer\nfrom taplogs.output import table\nfrom .options import query"),
        ("taplogs.backend.x", "import werkzeug, sqlite3\nfrom ..sources import protocol"),
        ("taplogs.new", "from taplogs.settings import Profile"),
        ("taplogs.__main__", "from taplogs.cli.app import main"),
    ],
)
def test_an_import_that_points_down_is_no_offence(module: str, source: str) -> None:
    assert offences(source, module) == []


def test_relative_imports_of_a_package_start_at_itself() -> None:
    assert list(imports("from . import entry\nfrom ..cli import app", "taplogs.core", is_package=True)) == [
        "taplogs.core.entry",
        "taplogs.cli.app",
    ]


def test_only_what_runs_on_loading_counts_for_circles() -> None:
    for_types = "if TYPE_CHECKING:\n    import b\n"
    source = f"import a\n{for_types}def f():\n    import c\nclass K:\n    import d\ntry:\n    import e\nfinally: ..."
    assert list(imports(source, "taplogs.x", at_start_only=True)) == ["a", "d", "e"]
    assert sorted(imports(source, "taplogs.x")) == ["a", "b", "c", "d", "e"]


def test_a_circle_of_imports_would_be_found() -> None:
    assert set(cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
