"""One version, wherever it stands."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

import yaml
from click.testing import CliRunner

from app.cli import main
from tests.dbt_project import REPOSITORY


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_every_file_names_the_same_version() -> None:
    declared = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    assert yaml.safe_load(text("dbt_project.yml"))["version"] == declared
    citation = yaml.safe_load(text("CITATION.cff"))
    newest = re.search(r"^## (\S+) \((\S+)\)\n\nTag: `(\S+)`$", text("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest.groups() == (declared, citation["date-released"], f"v{declared}")
    assert citation["version"] == declared


def test_the_command_line_says_its_version() -> None:
    output = CliRunner().invoke(main, ["--version"]).output
    assert output.split()[-1] == version("evalwh")
