"""The table of scaling fits: every target by every method, whatever the rows of its inputs."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from models.estimation.cluster_robust import Replicates, fit_lineage_jackknife
from models.estimation.errors import EstimationError
from models.estimation.random_intercepts import fit_lineage_random_intercepts
from models.intermediate import int_scaling_fits
from models.intermediate.int_scaling_fits import COLUMNS, ESTIMATES, scaling_fits

METHODS = [
    "ols",
    "ols_lineage_jackknife",
    "ols_lineage_cr2",
    "lineage_fixed_effects",
    "lineage_random_intercepts",
]
LINEAGES = ["a", "a", "a", "b", "b", "c", "c", "d", "d"]
MODELS = [f"model {number}" for number in range(9)]
COMPUTE = [20.0, 21.0, 22.5, 21.5, 23.0, 20.5, 22.0, 21.0, 23.5]
TARGETS = [("component", "component_1"), ("anchored", "anchored_1"), ("benchmark", "bbh")]


def points() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "panel_id": panel_id,
                "target_kind": kind,
                "target": target,
                "budget_language": language,
                "model_id": model_id,
                "lineage_id": lineage_id,
                "log10_train_flop": compute,
                "value": generator.normal(),
            }
            for panel_id, (kind, target), language in itertools.product(
                "pq", TARGETS, ("ja", "total")
            )
            for model_id, lineage_id, compute in zip(MODELS, LINEAGES, COMPUTE, strict=True)
        ]
    )


def replicates() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    return pd.DataFrame(
        [
            {
                "panel_id": panel_id,
                "target_kind": kind,
                "target": target,
                "left_out_lineage_id": lineage_id,
                "model_id": model_id,
                "value": generator.normal(),
            }
            for panel_id, (kind, target) in itertools.product("pq", TARGETS[:2])
            # Lineage z has models in the panel, but none whose compute is known.
            for lineage_id, model_id in itertools.product("abcdz", MODELS)
        ]
    )


def row(fits: pd.DataFrame, target: str, method: str) -> pd.Series:
    chosen = fits.query(
        "panel_id == 'p' and budget_language == 'ja' and target == @target and method == @method"
    )
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_fits_have_one_row_per_target_language_and_method():
    fits = scaling_fits(points(), replicates())
    assert fits.dtypes.astype(str).to_dict() == COLUMNS
    assert list(fits[[*int_scaling_fits.KEY, "method"]].itertuples(index=False, name=None)) == [
        (panel_id, kind, target, language, method)
        for panel_id, (kind, target), language, method in itertools.product(
            "pq", sorted(TARGETS), ("ja", "total"), METHODS
        )
    ]
    assert fits["slope_standard_error"].notna().all()


def test_fits_are_those_of_each_target_alone():
    table = points()
    fits = scaling_fits(table, replicates())
    values = table.query("panel_id == 'p' and budget_language == 'ja' and target == 'bbh'")["value"]
    for method in (fit_lineage_jackknife, fit_lineage_random_intercepts):
        alone = method(COMPUTE, values, LINEAGES)
        found = row(fits, "bbh", alone.method)
        assert (found["model_count"], found["lineage_count"]) == (9, 4)
        for column, field in ESTIMATES.items():
            np.testing.assert_allclose(found[column], getattr(alone, field), rtol=1e-12)


def test_abilities_are_replicated_and_scores_are_not():
    table, without = points(), replicates()
    fits = scaling_fits(table, without)
    for kind, target in TARGETS[:2]:
        key = "panel_id == 'p' and target == @target"
        values = table.query(f"{key} and budget_language == 'ja'")["value"].to_numpy()
        estimated = without.query(key)["value"].to_numpy().reshape(5, 9)
        alone = fit_lineage_jackknife(
            COMPUTE, values, LINEAGES, replicates=Replicates(np.array(list("abcdz")), estimated)
        )
        found = row(fits, target, "ols_lineage_jackknife")
        assert found["target_kind"] == kind
        assert found["slope_standard_error"] == pytest.approx(float(alone.slope_standard_error))


def test_an_ability_without_replicates_has_no_jackknife_error():
    lacking = replicates().query("target_kind != 'anchored' and left_out_lineage_id != 'b'")
    for without in (lacking, lacking.iloc[:0]):
        fits = scaling_fits(points(), without)
        lacks_error = fits[fits["slope_standard_error"].isna()]
        assert set(lacks_error["method"]) == {"ols_lineage_jackknife"}
        # Two targets of two panels on two kinds of compute.
        assert len(lacks_error) == 8
        assert "benchmark" not in set(lacks_error["target_kind"])


def test_targets_that_other_models_have_are_fitted_to_those():
    table = points()
    lacks = (table["target"] == "bbh") & table["model_id"].isin(MODELS[5:7])
    fits = scaling_fits(table[~lacks], replicates())
    found = row(fits, "bbh", "ols")
    assert (found["model_count"], found["lineage_count"]) == (7, 3)
    assert row(fits, "component_1", "ols")["model_count"] == 9


def test_the_order_of_rows_is_nothing():
    one = scaling_fits(points(), replicates())
    other = scaling_fits(
        points().sample(frac=1, random_state=1), replicates().sample(frac=1, random_state=2)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_number_that_is_not_finite_is_named():
    table = points()
    table.loc[3, "value"] = np.inf
    with pytest.raises(EstimationError, match=r"p component component_1 ja: model 'model 3'.*inf"):
        scaling_fits(table, replicates())


def test_no_points_give_an_empty_table_with_all_columns():
    tables = {"int_scaling_points": points()[:0], "int_ability_replicates": replicates()[:0]}

    class Relation:
        def __init__(self, name: str) -> None:
            self.name = name

        def df(self) -> pd.DataFrame:
            return tables[self.name]

    class Dbt:
        ref = Relation

        def config(self, **_: str) -> None:
            pass

    fits = int_scaling_fits.model(Dbt(), None)
    assert len(fits) == 0
    assert fits.dtypes.astype(str).to_dict() == COLUMNS
