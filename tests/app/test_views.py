from __future__ import annotations

import re
import sys
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

import duckdb
import pytest

from app.wording import METHOD_NAMES
from tests.app.conftest import VIEWS
from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


@pytest.fixture
def ask(built_warehouse):
    """A function that answers SQL on the warehouse with its first row."""

    def first_row(query, *parameters):
        with duckdb.connect(built_warehouse, read_only=True) as connection:
            return connection.execute(query, parameters).fetchone()

    return first_row


def metrics(app: AppTest) -> dict[str, tuple[str, str]]:
    return {metric.label: (metric.value, metric.delta) for metric in app.metric}


def minus(text: str) -> str:
    return text.replace("-", "−")


def bracket(low: float, high: float) -> str:
    return minus(f"[{low:.2f}, {high:.2f}]")


def test_navigation_has_every_view():
    main = (REPOSITORY / "app" / "main.py").read_text(encoding="utf-8")
    assert sorted(re.findall(r'"views/(\w+\.py)"', main)) == VIEWS


def test_no_module_of_the_app_hides_a_package():
    # Streamlit puts the folder of its main file first on the path.
    modules = {path.stem for path in (REPOSITORY / "app").iterdir()}
    rooms = {path.name for path in REPOSITORY.iterdir()}
    assert modules & ({*packages_distributions(), *rooms} | sys.stdlib_module_names) == set()


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_opens_and_says_what_it_is_about(view, open_app, ask):
    app = open_app(view)
    assert not app.exception
    assert len(app.title) == 1
    explanation = app.markdown[0].value
    assert 2 <= len(re.findall(r"[.?](?: |$)", explanation)) <= 3
    (built_at,) = ask("select max(finished_at) from meta.builds")
    assert f"Data: build of {built_at:%Y-%m-%d %H:%M} UTC." in [note.value for note in app.caption]


@pytest.mark.parametrize("panel_id", ["paper_35_corrected", "complete", "all"])
def test_every_view_opens_on_the_panel_that_was_chosen_on_another(panel_id, open_app):
    app = open_app("correlations.py")
    app.selectbox(key="panel").select(panel_id).run()
    for view in VIEWS:
        app.switch_page(f"views/{view}").run()
        assert not app.exception, view
        assert app.selectbox(key="panel").value == panel_id, view


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_without_any_build_says_what_to_run(view, open_app, tmp_path, monkeypatch):
    app = open_app(view)
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(tmp_path / "warehouse.duckdb"))
    app.run()
    assert not app.exception
    assert "make run" in app.info[0].value


def test_scores_shows_the_preferred_score_of_every_cell_of_the_panel(open_app, ask):
    app = open_app("scores.py")
    table = app.dataframe[0].value
    (count,) = ask("select count(*) from marts.fct_panel_scores where panel_id = 'paper_35'")
    benchmark_ids = table.columns.drop(["model", "training"])
    assert table[benchmark_ids].count().sum() == count
    model_id = "tokyotech-llm/Swallow-7b-hf"
    score, error = ask(
        "select score, standard_error from marts.fct_benchmark_scores "
        "where model_id = ? and benchmark_id = 'mmlu' and is_preferred",
        model_id,
    )
    assert table.loc[model_id, "mmlu"] == f"{score:.3f} ± {error:.3f}"


def test_scores_can_be_searched_and_narrowed_to_a_skill(open_app):
    app = open_app("scores.py")
    app.text_input[0].input("swallow").run()
    names = app.dataframe[0].value["model"]
    assert len(names) > 1
    assert names.str.contains("Swallow").all()
    skills = next(box for box in app.multiselect if box.label.startswith("Skill"))
    skills.select("mathematics").run()
    assert list(app.dataframe[0].value.columns) == ["model", "mgsm_ja", "gsm8k", "training"]
    app.text_input[0].input("no such model").run()
    assert not app.exception
    assert "No score passes these filters." in [text.value for text in app.markdown]


def test_scores_lists_all_sources_of_one_score_with_the_preferred_first(open_app, ask):
    model_id, benchmark_id, count = ask(
        """
        select scores.model_id, scores.benchmark_id, count(*) as source_count
        from marts.fct_benchmark_scores as scores
        semi join marts.fct_panel_scores as panel
            on scores.model_id = panel.model_id and panel.panel_id = 'paper_35'
        group by scores.model_id, scores.benchmark_id
        order by source_count desc, scores.model_id, scores.benchmark_id
        """
    )
    assert count > 1
    app = open_app("scores.py")
    app.selectbox(key="model").select(model_id)
    app.selectbox(key="benchmark").select(benchmark_id).run()
    sources = app.dataframe[1].value
    assert len(sources) == count
    assert list(sources["is_preferred"]) == [True] + [False] * (count - 1)
    assert sources["licence"].notna().all()


def test_correlations_shows_both_intervals_of_the_chosen_pair(open_app, ask):
    app = open_app("correlations.py")
    app.selectbox(key="across").select("mgsm_ja")
    app.selectbox(key="upright").select("gsm8k").run()
    pearson, low, high, lineage_low, lineage_high, spearman = ask(
        """
        select pearson, pearson_ci_low, pearson_ci_high, pearson_lineage_ci_low,
            pearson_lineage_ci_high, spearman
        from marts.fct_benchmark_correlations
        where panel_id = 'paper_35' and benchmark_id_1 = 'mgsm_ja' and benchmark_id_2 = 'gsm8k'
        """
    )
    shown = metrics(app)
    assert shown["Pearson r, 95% interval by models"] == (f"{pearson:.2f}", bracket(low, high))
    assert shown["Pearson r, 95% interval by lineages"] == (
        f"{pearson:.2f}",
        bracket(lineage_low, lineage_high),
    )
    assert shown["Spearman, 95% interval by models"][0] == f"{spearman:.2f}"


def test_correlations_lists_the_strongest_pair_across_languages_first(open_app, ask):
    strongest = open_app("correlations.py").dataframe[0].value.iloc[0]
    (pearson,) = ask(
        """
        select max(pearson)
        from marts.fct_benchmark_correlations as correlations
        inner join marts.dim_benchmarks as japanese
            on correlations.benchmark_id_1 = japanese.benchmark_id and japanese.language = 'ja'
        inner join marts.dim_benchmarks as english
            on correlations.benchmark_id_2 = english.benchmark_id and english.language = 'en'
        where panel_id = 'paper_35'
        """
    )
    assert strongest["pearson"] == pearson


def test_correlations_of_a_benchmark_with_itself_asks_for_another(open_app):
    app = open_app("correlations.py")
    app.selectbox(key="across").select("gsm8k")
    app.selectbox(key="upright").select("gsm8k").run()
    assert not app.exception
    assert "Choose two different benchmarks." in [text.value for text in app.markdown]


def test_components_shows_the_share_of_the_chosen_component(open_app, ask):
    app = open_app("components.py")
    app.selectbox(key="component").select(2).run()
    assert not app.exception
    share, low, high, cumulative = ask(
        """
        select explained_variance_ratio, ratio_ci_low, ratio_ci_high, cumulative_ratio
        from marts.fct_component_variances
        where panel_id = 'paper_35' and component_index = 2
        """
    )
    shown = metrics(app)
    assert shown["Share of the variance, 95% interval"] == (
        f"{share:.1%}",
        f"{low:.1%} to {high:.1%}",
    )
    assert shown["With all components before it"][0] == f"{cumulative:.1%}"


def test_scaling_shows_the_slope_with_the_interval_by_lineages(open_app, ask):
    app = open_app("scaling.py")
    slope, low, high, model_count = ask(
        """
        select slope, slope_ci_low, slope_ci_high, model_count
        from marts.fct_scaling_fits
        where panel_id = 'paper_35' and target = 'component_1' and budget_language = 'total'
            and method = 'ols_lineage_jackknife'
        """
    )
    shown = metrics(app)
    assert shown["Slope per tenfold compute"][0] == minus(f"{slope:.2f}")
    assert shown["Models"][0] == str(model_count)
    assert any(bracket(low, high) in text.value for text in app.markdown)


def test_scaling_shows_every_method_and_how_few_lineages_decide(open_app, ask):
    app = open_app("scaling.py")
    app.selectbox(key="target").set_value("anchored_2").run()
    app.button_group(key="compute").set_value("ja").run()
    assert not app.exception
    key = "panel_id = 'paper_35' and target = 'anchored_2' and budget_language = 'ja'"
    shown = next(table.value for table in app.dataframe if "degrees_of_freedom" in table.value)
    assert list(shown["name"]) == list(METHOD_NAMES.values())
    for method, found in zip(METHOD_NAMES, shown.to_dict("records"), strict=True):
        low, high, degrees, effective = ask(
            "select slope_ci_low, slope_ci_high, degrees_of_freedom, effective_lineage_count"
            f" from marts.fct_scaling_fits where {key} and method = ?",
            method,
        )
        assert found["interval"] == bracket(low, high)
        assert found["degrees_of_freedom"] == degrees
        assert found["effective_lineage_count"] == effective
    (effective,) = ask(
        f"select effective_lineage_count from marts.fct_scaling_fits where {key} and method = 'ols'"
    )
    assert effective < 2
    assert any(f"no more of them than {effective:.1f}" in text.value for text in app.caption)


def test_scaling_says_where_there_are_too_few_models_for_a_line(open_app, ask):
    (model_count,) = ask(
        """
        select model_count from marts.fct_scaling_fits
        where panel_id = 'paper_35' and target = 'component_1' and budget_language = 'code'
        """
    )
    assert model_count < 3
    app = open_app("scaling.py")
    app.button_group(key="compute").set_value("code").run()
    assert not app.exception
    assert f"Only {model_count} model" in app.warning[0].value
    assert "Slope per tenfold compute" not in metrics(app)


def test_about_names_whose_data_they_are(open_app, ask):
    app = open_app("about.py")
    text = " ".join(block.value for block in app.markdown)
    assert "Swallow LLM team" in text
    assert "CC BY 4.0" in text
    (score_count,) = ask("select count(*) from marts.fct_benchmark_scores")
    assert metrics(app)["Scores"][0] == f"{score_count:,}"
    assert app.dataframe[0].value["score_count"].sum() == score_count
