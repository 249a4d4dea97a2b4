"""The marts hold what the study printed and what independent computations give."""

import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from tests.models.textbook import textbook_em

PANELS = ("paper_35", "paper_35_corrected", "complete", "all")


@pytest.fixture(scope="module")
def warehouse(built_warehouse: Path):
    with duckdb.connect(str(built_warehouse), read_only=True) as connection:
        yield connection


def score_matrix(warehouse: duckdb.DuckDBPyConnection, panel_id: str) -> pd.DataFrame:
    scores = warehouse.execute(
        """
        select scores.model_id, scores.benchmark_id, scores.score
        from marts.fct_panel_scores as panel_scores
        inner join marts.fct_benchmark_scores as scores
            using (model_id, benchmark_id, score_source, source_ref)
        where panel_scores.panel_id = ? and scores.is_comparable
        """,
        [panel_id],
    ).df()
    return scores.pivot(index="model_id", columns="benchmark_id", values="score")


def symmetric_table(warehouse: duckdb.DuckDBPyConnection, panel_id: str, column: str):
    rows = warehouse.execute(
        f"select benchmark_id_1, benchmark_id_2, {column} as value"
        " from marts.fct_benchmark_correlations where panel_id = ?",
        [panel_id],
    ).df()
    return rows.pivot(index="benchmark_id_1", columns="benchmark_id_2", values="value")


def test_the_studys_printed_correlations(warehouse):
    printed = {
        ("mmlu", "jmmlu"): 0.91,
        ("gsm8k", "mgsm_ja"): 0.94,
        ("humaneval", "jhumaneval"): 0.98,
    }
    pearson = symmetric_table(warehouse, "paper_35", "pearson")
    for pair, value in printed.items():
        assert round(pearson.loc[pair], 2) == value


def test_the_studys_components(warehouse):
    ratios = warehouse.execute(
        "select explained_variance_ratio from marts.fct_component_variances"
        " where panel_id = 'paper_35' order by component_index limit 4"
    ).fetchnumpy()["explained_variance_ratio"]
    assert ratios.round(4).tolist() == [0.6515, 0.1542, 0.0697, 0.0323]
    leading = warehouse.execute(
        "select benchmark_id from marts.fct_component_loadings"
        " where panel_id = 'paper_35' and component_index = 2 order by loading desc limit 3"
    ).fetchall()
    assert leading == [("niilc",), ("wmt20_en_ja",), ("jemhopqa",)]


CODE_OF_SARASHINA2 = {
    (f"sbintuitions/sarashina2-{size}", benchmark_id)
    for size in ("7b", "13b")
    for benchmark_id in ("humaneval", "jhumaneval")
}
"""What the study's source has at zero and the same team's leaderboard clearly above it."""


def cells(warehouse: duckdb.DuckDBPyConnection, query: str) -> set[tuple[str, str]]:
    return set(warehouse.execute(f"select model_id, benchmark_id from {query}").fetchall())


def test_suspect_scores_are_those_that_a_later_publication_contradicts(warehouse):
    assert cells(warehouse, "marts.fct_suspect_scores") == CODE_OF_SARASHINA2
    assert cells(warehouse, "marts.fct_benchmark_scores where is_suspect") == CODE_OF_SARASHINA2
    # Not what a model cannot do, as nothing says otherwise.
    zeros = cells(warehouse, "marts.fct_benchmark_scores where score = 0")
    assert ("llm-jp/llm-jp-3-3.7b", "jhumaneval") in zeros
    assert ("cyberagent/calm2-7b", "humaneval") in zeros
    below_chance = cells(
        warehouse,
        "marts.fct_benchmark_scores inner join marts.dim_benchmarks using (benchmark_id)"
        " where ci_high < chance_score",
    )
    assert below_chance == {("stockmark/stockmark-100b", "jmmlu")}


def test_panels_do_with_suspect_scores_what_they_say(warehouse):
    faithful, corrected, complete, everything = (score_matrix(warehouse, p) for p in PANELS)
    zeros = {
        (model, benchmark): faithful.loc[model, benchmark]
        for model, benchmark in CODE_OF_SARASHINA2
    }
    assert set(zeros.values()) == {0.0}
    changed = (faithful != corrected).stack()
    assert set(changed[changed].index) == CODE_OF_SARASHINA2
    models = {model for model, _ in CODE_OF_SARASHINA2}
    assert models.isdisjoint(complete.index)
    for model, benchmark in CODE_OF_SARASHINA2:
        later = warehouse.execute(
            "select arg_max(score, source_date) from marts.fct_benchmark_scores"
            " where model_id = ? and benchmark_id = ?",
            [model, benchmark],
        ).fetchone()
        assert (corrected.loc[model, benchmark],) == later
        assert (everything.loc[model, benchmark],) == later
    counts = {
        panel_id: tuple(row)
        for panel_id, *row in warehouse.execute(
            "select panel_id, source_count, suspect_cell_count, replaced_cell_count,"
            " left_out_cell_count, left_out_model_count from marts.dim_panels"
        ).fetchall()
    }
    assert counts == {
        "paper_35": (1, 4, 0, 0, 0),
        "paper_35_corrected": (2, 0, 4, 0, 0),
        "complete": (1, 0, 0, 0, 2),
        "all": (4, 0, 4, 0, 0),
    }


def test_the_complete_panel_is_all_that_one_source_has_complete(warehouse):
    (source_ref,) = warehouse.execute(
        "select distinct source_ref from marts.fct_panel_scores where panel_id = 'complete'"
    ).fetchone()
    complete_counts = dict(
        warehouse.execute(
            """
            select source_ref, count(*) from (
                select source_ref, model_id
                from marts.fct_benchmark_scores
                inner join marts.dim_models using (model_id)
                where is_comparable and is_base and score_source = 'published'
                group by source_ref, model_id
                having count(distinct benchmark_id) = 19
            ) group by source_ref
            """
        ).fetchall()
    )
    assert max(complete_counts, key=complete_counts.get) == source_ref
    assert len(score_matrix(warehouse, "complete")) == complete_counts[source_ref] - 2


@pytest.mark.parametrize("panel_id", PANELS)
def test_correlations_equal_pandas_and_scipy(warehouse, panel_id):
    matrix = score_matrix(warehouse, panel_id)
    for method in ("pearson", "spearman"):
        ours = symmetric_table(warehouse, panel_id, method)
        pd.testing.assert_frame_equal(
            ours, matrix.corr(method), check_names=False, rtol=0, atol=1e-12
        )
    pairs = warehouse.execute(
        "select * from marts.fct_benchmark_correlations"
        " where panel_id = ? and benchmark_id_1 < benchmark_id_2",
        [panel_id],
    ).df()
    assert len(pairs) == 19 * 18 / 2
    for row in pairs.itertuples():
        both = matrix[[row.benchmark_id_1, row.benchmark_id_2]].dropna()
        witness = stats.pearsonr(*both.to_numpy().T)
        interval = witness.confidence_interval(0.95)
        assert row.model_count == len(both)
        assert row.p_value == pytest.approx(witness.pvalue, rel=1e-8)
        assert row.pearson_ci_low == pytest.approx(interval.low, abs=1e-10)
        assert row.pearson_ci_high == pytest.approx(interval.high, abs=1e-10)
        # Bonett and Wright 2000, Psychometrika 65:23-28, on ranks of SciPy.
        rank_correlation = stats.spearmanr(*both.to_numpy().T).statistic
        half_width = stats.norm.ppf(0.975) * np.sqrt(
            (1 + rank_correlation**2 / 2) / (len(both) - 3)
        )
        expected = np.tanh(np.arctanh(rank_correlation) + half_width * np.array([-1, 1]))
        assert (row.spearman_ci_low, row.spearman_ci_high) == pytest.approx(expected, abs=1e-10)
    np.testing.assert_allclose(
        pairs["q_value"], stats.false_discovery_control(pairs["p_value"]), rtol=1e-10
    )


@pytest.mark.parametrize("panel_id", ["paper_35", "paper_35_corrected", "complete"])
def test_components_equal_scikit_learn(warehouse, panel_id):
    matrix = score_matrix(warehouse, panel_id)
    assert not matrix.isna().any(axis=None)
    witness = PCA().fit(StandardScaler().fit_transform(matrix))
    ratios = warehouse.execute(
        "select explained_variance_ratio from marts.fct_component_variances"
        " where panel_id = ? order by component_index",
        [panel_id],
    ).fetchnumpy()["explained_variance_ratio"]
    np.testing.assert_allclose(ratios, witness.explained_variance_ratio_, atol=1e-12)
    vectors = (
        warehouse.execute(
            "select component_index, benchmark_id, eigenvector"
            " from marts.fct_component_loadings where panel_id = ?",
            [panel_id],
        )
        .df()
        .pivot(index="component_index", columns="benchmark_id", values="eigenvector")
    )
    # Up to the sign, which the decomposition leaves open.
    agreement = np.abs((vectors[matrix.columns].to_numpy() * witness.components_).sum(axis=1))
    np.testing.assert_allclose(agreement, 1, atol=1e-9)


def test_components_with_missing_cells_equal_the_textbook_algorithm(warehouse):
    matrix = score_matrix(warehouse, "all")
    missing_cell_count = warehouse.execute(
        "select missing_cell_count from marts.dim_panels where panel_id = 'all'"
    ).fetchone()
    assert (matrix.isna().to_numpy().sum(),) == missing_cell_count
    assert missing_cell_count > (0,)
    # Standardised first, which changes no correlation, so that steps are small evenly.
    standardised = ((matrix - matrix.mean()) / matrix.std()).to_numpy()
    _, covariance = textbook_em(standardised, steps=400)
    deviation = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(deviation, deviation))
    eigenvalues = warehouse.execute(
        "select eigenvalue from marts.fct_component_variances"
        " where panel_id = 'all' order by component_index"
    ).fetchnumpy()["eigenvalue"]
    np.testing.assert_allclose(eigenvalues, values[::-1], atol=1e-7)
    first = warehouse.execute(
        "select eigenvector from marts.fct_component_loadings"
        " where panel_id = 'all' and component_index = 2 order by benchmark_id"
    ).fetchnumpy()["eigenvector"]
    assert abs(first @ vectors[:, -2]) == pytest.approx(1, abs=1e-9)


def test_lineage_intervals_equal_refits_without_one_lineage(warehouse):
    matrix = score_matrix(warehouse, "complete")
    lineages = dict(
        warehouse.execute("select model_id, lineage_id from marts.dim_models").fetchall()
    )
    lineage = matrix.index.map(lineages)
    names = sorted(set(lineage))
    for first, second in [("mmlu", "jmmlu"), ("niilc", "triviaqa"), ("squad2", "jsquad")]:
        replicates = np.array(
            [
                np.arctanh(matrix.loc[lineage != name, [first, second]].corr().iloc[0, 1])
                for name in names
            ]
        )
        count = len(names)
        standard_error = np.sqrt(
            (count - 1) / count * ((replicates - replicates.mean()) ** 2).sum()
        )
        centre = np.arctanh(matrix[[first, second]].corr().iloc[0, 1])
        margin = stats.t.ppf(0.975, count - 1) * standard_error
        low, high = warehouse.execute(
            "select pearson_lineage_ci_low, pearson_lineage_ci_high"
            " from marts.fct_benchmark_correlations where panel_id = 'complete'"
            " and benchmark_id_1 = ? and benchmark_id_2 = ?",
            [first, second],
        ).fetchone()
        assert (low, high) == pytest.approx(
            (np.tanh(centre - margin), np.tanh(centre + margin)), abs=1e-10
        )


def test_intervals_of_scores_equal_scipys_wilson_intervals(warehouse):
    rows = warehouse.execute(
        "select score, item_count, ci_low, ci_high from marts.fct_benchmark_scores"
        " where benchmark_id = 'openbookqa' order by model_id, source_ref limit 50"
    ).fetchall()
    for score, item_count, low, high in rows:
        correct = round(score * item_count)
        if correct / item_count != score:
            continue
        interval = stats.binomtest(correct, item_count).proportion_ci(0.95, method="wilson")
        assert (low, high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_gains_of_abilities_are_the_differences_of_anchored_abilities(warehouse):
    # On the panel that is of one source: pairs all of whose gains are from there.
    gains = warehouse.execute(
        """
        with single_source as (
            select distinct source_ref from marts.fct_panel_scores where panel_id = 'complete'
        ),

        pairs as (
            select model_id, ancestor_model_id
            from marts.fct_paired_gains
            where is_local_continuation and is_preferred and is_comparable
            group by model_id, ancestor_model_id
            having count(*) = 19
                and bool_and(source_ref in (select source_ref from single_source))
        )

        select
            paired_values.value as gain,
            children.ability - ancestors.ability as difference
        from pairs
        inner join intermediate.int_paired_values as paired_values
            on
                pairs.model_id = paired_values.model_id
                and paired_values.estimand = 'gain'
                and paired_values.target_kind = 'anchored'
        inner join marts.fct_anchored_abilities as children
            on
                pairs.model_id = children.model_id
                and children.panel_id = 'complete'
                and paired_values.target = 'anchored_' || children.component_index
        inner join marts.fct_anchored_abilities as ancestors
            on
                pairs.ancestor_model_id = ancestors.model_id
                and ancestors.panel_id = 'complete'
                and children.component_index = ancestors.component_index
        """
    ).df()
    assert len(gains) >= 3 * 10
    np.testing.assert_allclose(gains["gain"], gains["difference"], atol=1e-10)


def test_effects_over_pairs_equal_means_over_units(warehouse):
    gains = warehouse.execute(
        "select lineage_id, developer, gain from marts.fct_paired_gains"
        " where benchmark_id = 'niilc' and is_local_continuation and is_preferred"
        " and is_comparable and not is_suspect"
    ).df()
    means = gains.groupby(["lineage_id", "developer"])["gain"].mean()
    without = [means.drop(one, level="lineage_id").mean() for one in set(gains["lineage_id"])]
    count = len(without)
    variance = (count - 1) / count * ((without - np.mean(without)) ** 2).sum()
    row = warehouse.execute(
        "select pair_count, unit_count, lineage_count, estimate, lineage_standard_error"
        " from marts.fct_paired_effects where estimand = 'gain' and target = 'niilc'"
    ).fetchone()
    assert row == pytest.approx(
        (len(gains), len(means), count, means.mean(), np.sqrt(variance)), abs=1e-10
    )


def test_squad2_metrics_are_kept_apart(warehouse):
    metrics = dict(
        warehouse.execute(
            "select metric, count(*) from marts.fct_benchmark_scores"
            " where benchmark_id = 'squad2' group by metric"
        ).fetchall()
    )
    assert set(metrics) == {"exact", "best_exact"}
    in_panels = warehouse.execute(
        "select distinct scores.metric from marts.fct_panel_scores as panel_scores"
        " inner join marts.fct_benchmark_scores as scores"
        " using (model_id, benchmark_id, source_ref)"
        " where benchmark_id = 'squad2'"
    ).fetchall()
    assert in_panels == [("exact",)]


def test_descriptions_travel_with_the_file(warehouse):
    missing = warehouse.execute(
        "select table_name, column_name from duckdb_columns()"
        " where schema_name = 'marts' and comment is null"
    ).fetchall()
    assert missing == []


def test_every_view_is_read_in_a_copy_of_another_name(built_warehouse: Path, tmp_path: Path):
    copy = Path(shutil.copy(built_warehouse, tmp_path / "other.duckdb"))
    raw_store = built_warehouse.parent / "generations.duckdb"
    views = "select schema_name, view_name from duckdb_views() where not internal"
    with duckdb.connect(str(copy), read_only=True) as opened, duckdb.connect() as attached:
        attached.execute(f"attach '{copy}' as another (read_only)")
        for connection, place in ((opened, ""), (attached, "another.")):
            connection.execute(f"attach '{raw_store}' as generations (read_only)")
            names = connection.execute(views).fetchall()
            assert ("marts", "fct_sample_texts") in names
            for schema, name in names:
                connection.execute(f"select * from {place}{schema}.{name} limit 1").fetchall()
