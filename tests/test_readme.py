"""README and overview show what the warehouse says today."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb
import pytest
from click.testing import CliRunner

from app.cli import main
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
        "README.md": 3,
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


FIGURES = {
    "{:.3f}": "select pearson from marts.fct_benchmark_correlations where panel_id = 'paper_35'"
    " and (benchmark_id_1, benchmark_id_2)"
    " in (('mmlu', 'jmmlu'), ('gsm8k', 'mgsm_ja'), ('humaneval', 'jhumaneval'))",
    "{:.4f}": "select explained_variance_ratio from marts.fct_component_variances"
    " where panel_id = 'paper_35' and component_index <= 4",
    "{:.2f}": "select unnest([slope, slope_ci_low, slope_ci_high])"
    " from marts.fct_scaling_fits where target = 'component_2' and budget_language = 'ja'"
    " and (panel_id, method) in (('paper_35', 'ols'), ('paper_35', 'ols_lineage_jackknife'))"
    " union all select unnest([slope_ci_low, slope_ci_high])"
    " from marts.fct_scaling_fits where target = 'component_2' and budget_language = 'ja'"
    " and panel_id in ('paper_35_corrected', 'complete') and method = 'ols_lineage_jackknife'",
}


@pytest.mark.parametrize("form", FIGURES)
def test_figures_in_the_text_are_those_of_the_marts(form: str, built_warehouse: Path) -> None:
    with duckdb.connect(str(built_warehouse), read_only=True) as connection:
        values = [value for (value,) in connection.execute(FIGURES[form]).fetchall()]
    assert len(values) in (3, 4, 10)
    for value in values:
        assert re.search(rf"(?<![\d.]){re.escape(form.format(value))}(?!\d)", README), value


WORDS = dict(
    enumerate("none one two three four five six seven eight nine ten eleven".split())  # noqa: SIM905
)


def test_counts_in_words_are_those_of_the_marts(built_warehouse: Path) -> None:
    points = (
        "from marts.fct_scaling_points where target = 'component_2' and budget_language = 'ja'"
        " and panel_id = ?"
    )
    with duckdb.connect(str(built_warehouse), read_only=True) as connection:

        def counts(what: str, panel_id: str) -> tuple:
            return connection.execute(f"select {what} {points}", [panel_id]).fetchone()

        llama, models, lineages = counts(
            "count(*) filter (where lineage_id = 'Llama 2'), count(*), count(distinct lineage_id)",
            "paper_35",
        )
        more_models, more_lineages = counts("count(*), count(distinct lineage_id)", "complete")
    text = " ".join(README.split())
    assert (
        f"{WORDS[llama]} of the {WORDS[models]} models with known Japanese compute descend from"
        " Llama 2"
    ) in text
    assert f"over the same {WORDS[lineages]} lineages" in text
    assert f"on the {more_models} models of {WORDS[more_lineages]} lineages in `complete`" in text


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
