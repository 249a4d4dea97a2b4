"""What claims rest on, without one lineage or model: equal to estimates from the other rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from models.estimation.cluster_robust import Replicates, fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.pairs import paired_effect
from models.intermediate.int_claim_influences import (
    claim_influences,
    correlation_estimates,
    units_of,
)

LINEAGES = np.array(["a", "a", "a", "b", "b", "c", "c", "d"])
MODELS = np.array([f"m{i}" for i in range(8)])
DEVELOPERS = np.array(["x", "y", "z", "x", "y", "z", "w", "x"])
GENERATOR = np.random.default_rng(1)
COMPUTE = GENERATOR.uniform(20, 24, 8)
VALUES = {
    ("benchmark", "x"): GENERATOR.uniform(size=8),
    ("anchored", "anchored_2"): GENERATOR.normal(size=8),
}
REPLICATES = GENERATOR.normal(size=(4, 8))


def inputs() -> list[pd.DataFrame]:
    parts = pd.DataFrame(
        [
            ("grows", 1, "slope", "benchmark", "x", "ja"),
            ("also_grows", 2, "slope", "benchmark", "x", "ja"),
            ("ability", 1, "slope", "anchored", "anchored_2", "ja"),
            ("twins", 1, "correlation", "benchmark", "x", "y"),
            ("led_by", 1, "loading", "benchmark", "x", "component_2"),
            ("gains", 1, "paired", "benchmark", "x", "gain"),
        ],
        columns=["claim_id", "part_index", "evidence", "target_kind", "target", "on_what"],
    )
    models = {"panel_id": "p", "model_id": MODELS, "lineage_id": LINEAGES}
    points = pd.concat(
        pd.DataFrame(
            {
                **models,
                "target_kind": kind,
                "target": target,
                "budget_language": "ja",
                "log10_train_flop": COMPUTE,
                "value": values,
            }
        )
        for (kind, target), values in VALUES.items()
    )
    replicates = pd.DataFrame(
        {
            "panel_id": "p",
            "target_kind": "anchored",
            "target": "anchored_2",
            "left_out_lineage_id": np.repeat(["a", "b", "c", "d"], 8),
            "model_id": np.tile(MODELS, 4),
            "value": REPLICATES.ravel(),
        }
    )
    x = VALUES["benchmark", "x"]
    scores = pd.concat(
        pd.DataFrame({**models, "benchmark_id": name, "score": score})
        for name, score in (("x", x), ("y", x**2 + np.arange(8) % 3))
    )
    pairs = pd.DataFrame(
        {
            "estimand": "gain",
            "target_kind": "benchmark",
            "target": "x",
            "model_id": MODELS,
            "lineage_id": LINEAGES,
            "developer": DEVELOPERS,
            "value": VALUES["benchmark", "x"],
            "dose": np.nan,
        }
    )
    panels = pd.DataFrame({"panel_id": ["p", "other"], "is_reference": [True, False]})
    return [parts, panels, points, replicates, scores, pairs]


def test_a_lineage_of_one_model_is_left_out_once():
    units = [(unit.kind, unit.id, int(unit.is_kept.sum())) for unit in units_of(MODELS, LINEAGES)]
    counts = {"a": 5, "b": 6, "c": 6, "d": 7}
    assert units == [
        *(("lineage", lineage, count) for lineage, count in counts.items()),
        *(("model", f"m{i}", 7) for i in range(7)),
    ]


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    rows = claim_influences(*inputs())
    assert not rows.duplicated(list(rows.columns[:6])).any()
    return rows.set_index(["claim_id", "method", "left_out_kind", "left_out_id"])


def test_scores_are_fitted_to_the_other_models(found):
    for unit in units_of(MODELS, LINEAGES):
        kept = unit.is_kept
        fit = fit_lineage_cr2(COMPUTE[kept], VALUES["benchmark", "x"][kept], LINEAGES[kept])
        row = found.loc["grows", "ols_lineage_cr2", unit.kind, unit.id]
        assert row["estimate"] == pytest.approx(float(fit.slope))
        assert row["ci_low"] == pytest.approx(float(fit.slope_ci_low))
        assert row["effective_lineage_count"] == pytest.approx(float(fit.effective_lineage_count))
    # Two claims may rest on the same slope.
    also = found.loc["also_grows"]
    pd.testing.assert_frame_equal(
        also.drop(columns="part_index"), found.loc["grows"].drop(columns="part_index")
    )
    assert set(also["part_index"]) == {2}


def test_abilities_without_a_lineage_are_estimated_without_it(found):
    kept = LINEAGES != "b"
    fit = fit_lineage_cr2(COMPUTE[kept], REPLICATES[1][kept], LINEAGES[kept])
    row = found.loc["ability", "ols_lineage_cr2", "lineage", "b"]
    assert row["estimate"] == pytest.approx(float(fit.slope))
    kept = MODELS != "m3"
    fit = fit_lineage_jackknife(
        COMPUTE[kept],
        VALUES["anchored", "anchored_2"][kept],
        LINEAGES[kept],
        replicates=Replicates(np.array(["a", "b", "c", "d"]), REPLICATES[:, kept]),
    )
    row = found.loc["ability", "ols_lineage_jackknife", "model", "m3"]
    assert row["ci_high"] == pytest.approx(float(fit.slope_ci_high))


def test_correlations_are_those_of_the_other_models(found):
    x, y = (rows["score"].to_numpy() for _, rows in inputs()[4].groupby("benchmark_id"))
    kept = MODELS != "m0"
    pearson = stats.pearsonr(x[kept], y[kept])
    row = found.loc["twins", "models", "model", "m0"]
    interval = pearson.confidence_interval()
    assert (row["estimate"], row["ci_low"], row["ci_high"]) == pytest.approx(
        (pearson.statistic, interval.low, interval.high)
    )


def test_the_jackknife_of_a_correlation_equals_leaving_out_by_hand():
    scores = np.column_stack([VALUES["benchmark", "x"], VALUES["anchored", "anchored_2"]])
    z = np.arctanh(
        [
            np.corrcoef(scores[lineage != LINEAGES], rowvar=False)[0, 1]
            for lineage in ("a", "b", "c", "d")
        ]
    )
    margin = stats.t.ppf(0.975, 3) * np.sqrt(3 / 4 * ((z - z.mean()) ** 2).sum())
    pearson = np.corrcoef(scores, rowvar=False)[0, 1]
    by_lineages, _ = correlation_estimates(scores, LINEAGES)
    assert by_lineages.low == pytest.approx(np.tanh(np.arctanh(pearson) - margin))
    # Two lineages are too few, and so they are in the mart.
    kept = np.isin(LINEAGES, ["a", "b"])
    assert np.isnan(correlation_estimates(scores[kept], LINEAGES[kept])[0].low)


def test_paired_effects_are_those_of_the_other_pairs(found):
    kept = {
        "lineage": ("a", LINEAGES != "a"),
        "model": ("m4", MODELS != "m4"),
        "developer": ("z", DEVELOPERS != "z"),
    }
    for kind, (name, is_kept) in kept.items():
        values = VALUES["benchmark", "x"][is_kept]
        effect = paired_effect(values, LINEAGES[is_kept], DEVELOPERS[is_kept])
        row = found.loc["gains", "pairs", kind, name]
        assert (row["estimate"], row["ci_low"], row["ci_high"]) == pytest.approx(
            (effect.estimate, effect.ci_low, effect.ci_high)
        )


def test_no_row_is_for_a_loading_and_order_does_not_matter(found):
    assert "led_by" not in found.index.get_level_values("claim_id")
    shuffled = [table.sample(frac=1, random_state=3) for table in inputs()]
    pd.testing.assert_frame_equal(
        claim_influences(*shuffled), claim_influences(*inputs()), rtol=1e-12
    )
