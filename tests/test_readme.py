"""README and overview show what the warehouse says today."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb
import pytest
from click.testing import CliRunner

from app.cli import main
from app.findings import BEGINNING, END, with_findings
from app.snapshot import open_snapshot
from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

OVERVIEW = (REPOSITORY / "models" / "overview.md").read_text(encoding="utf-8")

CONSOLES = {
    name: re.findall(
        r'```sh\nevalwh sql "\n(?P<query>.*?)"\n```\n\n```text\n(?P<output>.*?)```', text, re.DOTALL
    )
    for name, text in {"README.md": README, "overview.md": OVERVIEW}.items()
}


def test_there_are_queries_to_copy() -> None:
    assert {name: len(found) for name, found in CONSOLES.items()} == {
        "README.md": 2,
        "overview.md": 2,
    }


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 250


@pytest.mark.parametrize(
    "console",
    [*CONSOLES["README.md"], *CONSOLES["overview.md"]],
    ids=lambda console: console[0].split()[1],
)
def test_a_query_prints_what_the_readme_shows(
    console: tuple[str, str], built_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, output = console
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(built_warehouse))
    result = CliRunner().invoke(main, ["sql", query])
    assert result.exit_code == 0, result.output
    assert [line.rstrip() for line in result.output.splitlines()] == output.splitlines()


def test_what_was_found_is_what_the_marts_say(
    built_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(built_warehouse))
    assert with_findings(README, open_snapshot()) == README, "run `make findings`"


def test_what_is_no_readme_gets_no_findings(
    built_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(built_warehouse))
    for text in ("nothing", BEGINNING, f"{END}\n{BEGINNING}"):
        with pytest.raises(ValueError, match="needs a line"):
            with_findings(text, open_snapshot())


def test_the_figure_names_the_benchmarks_that_lead(built_warehouse: Path) -> None:
    with duckdb.connect(str(built_warehouse), read_only=True) as connection:
        leading = connection.execute(
            """
            select benchmark_name from marts.fct_component_loadings
            inner join marts.dim_benchmarks using (benchmark_id)
            where panel_id = 'paper_35' and component_index = 2
            order by loading desc limit 3"""
        ).fetchall()
    first, second, third = (name for (name,) in leading)
    assert f"is led by {first}, {second} and {third}." in " ".join(README.split())
