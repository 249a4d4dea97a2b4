"""What is not in the documentation does not exist for its readers."""

from __future__ import annotations

import re

import click
import pytest

from app.cli import main
from tests.dbt_project import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCUMENTATION = README + (REPOSITORY / "models" / "overview.md").read_text(encoding="utf-8")


def commands(group: click.Group, prefix: str) -> list[str]:
    """Every command below `group`, as it is typed."""
    found = []
    for name, command in group.commands.items():
        typed = f"{prefix} {name}"
        found += commands(command, typed) if isinstance(command, click.Group) else [typed]
    return found


def stems(pattern: str) -> list[str]:
    found = sorted(p.stem for p in REPOSITORY.glob(pattern) if not p.stem.startswith("_"))
    assert found, f"nothing matches {pattern}"
    return found


@pytest.mark.parametrize("command", commands(main, "evalwh"))
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"\b{command}\b", DOCUMENTATION)


@pytest.mark.parametrize("mart", stems("models/marts/*.sql"))
def test_every_mart_is_documented(mart: str) -> None:
    assert re.search(rf"\b{mart}\b", DOCUMENTATION)


@pytest.mark.parametrize("view", stems("app/views/*.py"))
def test_every_view_is_documented(view: str) -> None:
    assert re.search(rf"\b{view.replace('_', '[ _-]')}\b", DOCUMENTATION, re.IGNORECASE)


@pytest.mark.parametrize("analysis", stems("analyses/*.sql"))
def test_every_analysis_is_documented(analysis: str) -> None:
    assert re.search(rf"\b{analysis}\b", DOCUMENTATION)


def test_every_verb_that_the_readme_names_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    # A verb is named in backticks or begins a line of a code block; "make sense" does neither.
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    assert {"run", "test"} <= named
    assert named - verbs == set()
