"""Imports run one way between the rooms."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

FORBIDDEN = {
    "inference": {"dbt", "streamlit", "app", "models"},
    "models": {"inference", "app"},
    "app": {"inference", "models"},
    "warehouse": {"inference", "models", "app"},
}

INFERENCE = {
    "planning": set(),
    "asking": {"planning"},
    "measuring": set(),
    "exchange": {"planning"},
}
"""Folders of inference that each may import from, besides itself."""

SHELL = {"app/cli.py", "app/commands.py", "app/doctor.py", "app/keeping.py"}
"""The command line may import from every room; pages may not."""

DOOR = "app/snapshot.py"
"""The only file of the app that may open a database."""


def python_files() -> list[str]:
    return [
        path.relative_to(REPOSITORY).as_posix()
        for room in FORBIDDEN
        for path in sorted((REPOSITORY / room).rglob("*.py"))
        if not {"target", "dbt_packages"} & set(path.parts)
    ]


def imported_modules(path: Path) -> set[str]:
    """Every module that the file imports anywhere, within functions and TYPE_CHECKING too."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            # `from app import cli` imports a module as much as `import app.cli` does.
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


@pytest.mark.parametrize("file", python_files())
def test_a_room_imports_only_what_it_may(file: str) -> None:
    imported = {module.partition(".")[0] for module in imported_modules(REPOSITORY / file)}
    forbidden = set() if file in SHELL else FORBIDDEN[file.partition("/")[0]]
    assert imported & forbidden == set()


@pytest.mark.parametrize(
    "file",
    [file for file in python_files() if file.startswith("inference/") and file.count("/") > 1],
)
def test_a_folder_of_inference_imports_only_what_it_may(file: str) -> None:
    folder = file.split("/")[1]
    imported = {
        parts[1]
        for module in imported_modules(REPOSITORY / file)
        if (parts := module.split("."))[0] == "inference"
    }
    assert imported & INFERENCE.keys() <= INFERENCE[folder] | {folder}


def test_no_module_is_reached_by_its_own_imports() -> None:
    modules = {file.removesuffix(".py").replace("/", "."): file for file in python_files()}
    graph = {}
    for module, file in modules.items():
        imported = imported_modules(REPOSITORY / file)
        # A name within a module stands for the module.
        graph[module] = {
            found for name in imported for found in (name, name.rpartition(".")[0])
        } & modules.keys()
    # It raises CycleError, which names the modules of a circle.
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("file", python_files())
def test_no_room_imports_the_command_line(file: str) -> None:
    modules = imported_modules(REPOSITORY / file)
    assert not [module for module in modules if f"{module}.".startswith("app.cli.")]


@pytest.mark.parametrize("file", [file for file in python_files() if file.startswith("app/")])
def test_the_app_has_one_door_to_data(file: str) -> None:
    if file == DOOR or file in SHELL:
        return
    modules = imported_modules(REPOSITORY / file)
    assert "duckdb" not in {module.partition(".")[0] for module in modules}
    assert not [module for module in modules if module.startswith("warehouse.connection")]


def test_imports_are_found_wherever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import a.b\ndef f():\n    from c import d\n    import e as g\n")
    assert imported_modules(path) == {"a.b", "c.d", "e"}
